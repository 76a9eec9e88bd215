# The generated sources of operation_codec.cc, into parallax_node.
protobuf_generate_cpp(PARALLAX_OPERATION_SOURCES PARALLAX_OPERATION_HEADERS operation.proto)
set_source_files_properties(${PARALLAX_OPERATION_SOURCES} PROPERTIES COMPILE_OPTIONS -w)
target_sources(parallax_node PRIVATE ${PARALLAX_OPERATION_SOURCES} ${PARALLAX_OPERATION_HEADERS})
target_link_libraries(parallax_node PUBLIC protobuf::libprotobuf-lite)
