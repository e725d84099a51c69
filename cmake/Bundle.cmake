# Puts beside installed programs the shared libraries that they load:
#   cmake -DSTAGE=prefix -DLIST=file -P Bundle.cmake
# Into lib/ what our two libraries need besides LibTorch, into lib/bundled/ the rest: a consumer of lib/ must not come upon
# other people's libraries there. Not bundled: the C library and the compiler's runtime, which every Linux has. LIST is
# written: for each bundled file the one it was copied from.
cmake_minimum_required(VERSION 3.25)
set(CMAKE_OBJDUMP objdump)
file(GLOB _programs "${STAGE}/bin/*")
file(GLOB _libraries "${STAGE}/lib/libattn*.so")
set(_of_the_system "^ld-linux" "^lib(c|m|mvec|dl|rt|pthread|util|anl|resolv|gcc_s|stdc\\+\\+)\\.so")

function(bundle folder)
  file(GET_RUNTIME_DEPENDENCIES ${ARGN} PRE_EXCLUDE_REGEXES ${_of_the_system} POST_EXCLUDE_REGEXES "^${STAGE}/"
    RESOLVED_DEPENDENCIES_VAR found UNRESOLVED_DEPENDENCIES_VAR lost CONFLICTING_DEPENDENCIES_PREFIX twice)
  if(lost)
    message(FATAL_ERROR "not found: ${lost}")
  endif()
  foreach(name ${twice_FILENAMES})
    list(GET twice_${name} 0 first) # of two of one name any serves: the loader takes one for the whole process
    list(APPEND found "${first}")
  endforeach()
  foreach(file ${found})
    get_filename_component(name "${file}" NAME)
    if(NOT EXISTS "${STAGE}/lib/${name}") # which serves the programs too
      file(COPY_FILE "${file}" "${STAGE}/${folder}/${name}")
      file(APPEND "${LIST}" "${folder}/${name} ${file}\n")
    endif()
  endforeach()
endfunction()

file(WRITE "${LIST}" "")
file(MAKE_DIRECTORY "${STAGE}/lib/bundled")
# LibTorch is left to the consumer of libattn.so, which needs its headers as well.
list(APPEND _torch_of_consumer "^lib(torch|c10)")
set(_keep "${_of_the_system}")
list(APPEND _of_the_system ${_torch_of_consumer})
bundle(lib LIBRARIES ${_libraries})
set(_of_the_system "${_keep}")
bundle(lib/bundled EXECUTABLES ${_programs})

# The programs name no folder of this machine any more.
foreach(_program ${_programs})
  file(RPATH_SET FILE "${_program}" NEW_RPATH "$ORIGIN/../lib/bundled:$ORIGIN/../lib")
endforeach()
