# cmake -DSTYLE=FILE -DSCRIPTS=FILE,FILE -DOUT=FILE -P embed.cmake: writes the source of assets.h.
function(read_literal out)
  set(text "")
  foreach(file ${ARGN})
    file(READ ${file} part)
    string(APPEND text "${part}")
  endforeach()
  if(text MATCHES "\\)page\"" OR text MATCHES "</(script|style)")
    message(FATAL_ERROR "${ARGN}: what ends a literal, a script or a style may not stand in it")
  endif()
  set(${out} "R\"page(${text})page\"" PARENT_SCOPE)
endfunction()

string(REPLACE "," ";" scripts "${SCRIPTS}")
read_literal(style ${STYLE})
read_literal(script ${scripts})
file(WRITE ${OUT} "// Made by harness/report/embed.cmake.
#include \"harness/report/assets.h\"

namespace parallax::harness {

const std::string_view kPageStyle = ${style};
const std::string_view kPageScript = ${script};

}  // namespace parallax::harness
")
