// HTTP over plain sockets, under the tests' own names.
#pragma once

#include "harness/io/plain_http.h"

namespace parallax::system_tests {

using harness::ask;
using harness::Connection;
using harness::PlainAnswer;

}  // namespace parallax::system_tests
