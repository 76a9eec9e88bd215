# cmake --install: the programs, and the client library as a CMake package: find_package(parallax)
# gives parallax::client (docs/CLIENT.md). Components: programs, client.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(program parallax parallaxd parallax-sim parallax-check parallax-harness)
  if(TARGET ${program})
    install(TARGETS ${program} COMPONENT programs)
  endif()
endforeach()

# What client/client.h, client/range_reader.h, client/verify.h and client/io/async.h include, and
# they themselves; tests/data/outside_project includes them from an installed tree.
set(public_headers
  base/assert.h base/bytes.h base/enum_set.h base/error.h base/ids.h base/limits.h base/random.h
  clock/actor.h clock/origin_vector.h clock/stamp.h clock/version_vector.h
  consistency/crdt.h consistency/level.h consistency/policy.h
  consistency/session_guarantees.h consistency/session_token.h
  client/client.h client/cluster_view.h client/near_cache.h client/options.h client/protocol.h
  client/range_reader.h
  client/retry.h client/session.h client/sla.h client/verify.h client/io/async.h)
foreach(header ${public_headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} COMPONENT client
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/parallax/${folder})
endforeach()

set_target_properties(parallax_client PROPERTIES EXPORT_NAME client)
# Both "client/client.h", as the headers name each other, and <parallax/client/client.h>.
target_include_directories(parallax_options INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/parallax>)
install(TARGETS parallax_options parallax_base parallax_clock parallax_consistency
                parallax_client_protocol parallax_client
        EXPORT parallax
        ARCHIVE COMPONENT client)
install(EXPORT parallax NAMESPACE parallax:: FILE parallaxTargets.cmake COMPONENT client
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/parallax)

configure_package_config_file(cmake/parallaxConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/parallaxConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/parallax)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/parallaxConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES cmake/Findlibdeflate.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/parallaxConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/parallaxConfigVersion.cmake
        COMPONENT client DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/parallax)
