// The style and the scripts of the report's page: page.css, and charts.js, diagrams.js and page.js
// one behind the other. The build puts the files into the program (embed.cmake).
#pragma once

#include <string_view>

namespace parallax::harness {

extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace parallax::harness
