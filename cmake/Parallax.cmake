# Settings, dependencies and the two commands that every folder uses.

set(PARALLAX_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them")
option(PARALLAX_FUZZ "Build the programs of tests/fuzz, and no other tests; needs clang (scripts/fuzz)")

find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(libdeflate REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(leveldb REQUIRED)
find_package(Catch2 2.13 REQUIRED)
include(Catch)

add_library(parallax_options INTERFACE)
# Our own strictness, and our own tree, are not for those who use the installed library.
set(PARALLAX_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror
  -Wno-missing-field-initializers)  # designated initializers rely on the members' defaults
target_compile_options(parallax_options INTERFACE "$<BUILD_INTERFACE:${PARALLAX_WARNINGS}>")
target_compile_features(parallax_options INTERFACE cxx_std_20)
target_include_directories(parallax_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
target_compile_definitions(parallax_options INTERFACE
  $<BUILD_INTERFACE:PARALLAX_VERSION="${PROJECT_VERSION}">
  $<BUILD_INTERFACE:BOOST_ASIO_NO_DEPRECATED>
  $<BUILD_INTERFACE:BOOST_ASIO_DISABLE_BOOST_COROUTINE>)
# Canaries and coverage marks (base/canary.h, base/coverage.h) are not in what users run.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(parallax_options INTERFACE $<BUILD_INTERFACE:PARALLAX_TEST_BUILD>)
endif()
if(PARALLAX_SANITIZE)
  target_compile_options(parallax_options INTERFACE
    -fsanitize=${PARALLAX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(parallax_options INTERFACE -fsanitize=${PARALLAX_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # In instrumented code it sees uninitialized values where there are none; other builds look too.
    target_compile_options(parallax_options INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(PARALLAX_SANITIZE MATCHES "thread")
    # Asio uses atomic_thread_fence, which this sanitizer does not model.
    target_compile_options(parallax_options INTERFACE -Wno-tsan)
  endif()
endif()

if(PARALLAX_FUZZ)
  target_compile_options(parallax_options INTERFACE -fsanitize=fuzzer-no-link
    -Wno-shadow)  # which clang takes further than gcc: parameters that are named as members
endif()

find_program(PARALLAX_MOLD mold)
if(PARALLAX_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(PARALLAX_CCACHE ccache)
if(PARALLAX_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PARALLAX_CCACHE})
endif()

# parallax_library(NAME SOURCES ... DEPENDS ...): a static library of one folder.
function(parallax_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC parallax_options ${ARG_DEPENDS})
endfunction()

# parallax_test(NAME SOURCES ... DEPENDS ... [LABELS ...] [TIMEOUT s]): one Catch2 program, its
# cases registered with CTest one by one as "NAME: case". Those labelled system or serial run alone:
# they start processes, or measure time.
function(parallax_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(PARALLAX_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")  # what is checked all the time takes its time
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE parallax_test_main ${ARG_DEPENDS})
  target_compile_definitions(${name} PRIVATE PARALLAX_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             PARALLAX_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  set(properties "TIMEOUT ${ARG_TIMEOUT}")
  if(ARG_LABELS)
    string(APPEND properties " LABELS \"${ARG_LABELS}\"")
  endif()
  if("system" IN_LIST ARG_LABELS OR "serial" IN_LIST ARG_LABELS)
    string(APPEND properties " RUN_SERIAL TRUE")
  endif()
  catch_discover_tests(${name} TEST_PREFIX "${name}: " TEST_LIST ${name}_cases)
  # catch_discover_tests() cannot pass on a list of labels; a file that CTest reads next can.
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake
    "if(${name}_cases)\n  set_tests_properties(\${${name}_cases} PROPERTIES ${properties})\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES
    ${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake)
endfunction()
