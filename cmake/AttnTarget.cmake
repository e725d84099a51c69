# What every target of the house shares: flags, the include folders, and the one precompiled header.
#
#   attn_room(NAME SOURCES a.cpp ... [LINK lib ...] [LINK_PRIVATE lib ...] [TORCH] [EXPORTS])   a static library, one per room
#   attn_shared(NAME OUTPUT file EXPORT name ROOMS room ... [LINK lib ...] [LINK_PRIVATE lib ...])
#                                                                                        a shared library of such rooms
#   attn_program(NAME SOURCES ... [LINK ...] [TORCH] [INSTALL])                          an executable in build/bin
#   attn_test(NAME SOURCES ... [LINK ...] [TORCH] [LABELS ...] [TIMEOUT s])              a GoogleTest program, one ctest entry
#
# TORCH links LibTorch and uses the precompiled torch/torch.h: name it for the rooms whose files include LibTorch.
# EXPORTS hides all that is not ATTN_PUBLIC: name it for the rooms that a shared library is made of as well.

# Where headers are, as their own includes name them: all that a room hands on to those who link it.
add_library(attn_headers INTERFACE)
target_include_directories(attn_headers INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/libattn/include")

add_library(attn_flags INTERFACE)
# -fPIC everywhere, programs included: the precompiled header serves only sources with its own code-model flags.
target_compile_options(attn_flags INTERFACE -fPIC -Wall -Wextra -Wpedantic -Wshadow -Wno-invalid-pch)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(attn_flags INTERFACE -Wno-restrict) # g++ 12 sees overlaps in std::string that are not there
endif()
if(ATTN_WERROR)
  target_compile_options(attn_flags INTERFACE -Werror)
endif()
if(ATTN_SANITIZE)
  set(_sanitizers address,undefined)
  if(ATTN_SANITIZE STREQUAL "thread")
    set(_sanitizers thread)
  endif()
  target_compile_options(attn_flags INTERFACE
    -fsanitize=${_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(attn_flags INTERFACE -fsanitize=${_sanitizers})
endif()
if(ATTN_FUZZER)
  target_compile_options(attn_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_link_libraries(attn_flags INTERFACE attn_headers Threads::Threads)

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache's manual asks for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
    "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
    "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
endif()

# The one precompiled header: torch/torch.h takes 27 s and 1.3 GB to parse in every file, 8 s with it.
file(WRITE "${PROJECT_BINARY_DIR}/torch_pch.cpp.in" "// Carries the precompiled header.\n")
configure_file("${PROJECT_BINARY_DIR}/torch_pch.cpp.in" "${PROJECT_BINARY_DIR}/torch_pch.cpp" COPYONLY)
if(TARGET LibTorch::cpu)
  add_library(attn_torch_pch OBJECT "${PROJECT_BINARY_DIR}/torch_pch.cpp")
  target_link_libraries(attn_torch_pch PRIVATE attn_flags LibTorch::cpu)
  target_precompile_headers(attn_torch_pch PRIVATE <torch/torch.h>)
  target_compile_options(attn_torch_pch PRIVATE -fpch-preprocess)
endif()

function(_attn_common name torch)
  if(torch)
    target_link_libraries(${name} PUBLIC LibTorch::cpu)
    target_precompile_headers(${name} REUSE_FROM attn_torch_pch)
    target_compile_options(${name} PRIVATE -fpch-preprocess)
  endif()
endfunction()

function(attn_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH;EXPORTS" "" "SOURCES;LINK;LINK_PRIVATE")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC attn_headers ${arg_LINK} PRIVATE attn_flags ${arg_LINK_PRIVATE})
  _attn_common(${name} "${arg_TORCH}")
  if(arg_EXPORTS)
    set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    # What is installed names no folder of the machine that built it, where errors tell their source line.
    target_compile_options(${name} PRIVATE
      "-fmacro-prefix-map=${CMAKE_BINARY_DIR}/=" "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/="
      "$<$<CONFIG:Debug,RelWithDebInfo>:-fdebug-prefix-map=${CMAKE_BINARY_DIR}=.;-fdebug-prefix-map=${PROJECT_SOURCE_DIR}=.>")
  endif()
endfunction()

# The rooms' own objects, all of them, so that what registers itself is in; nothing is compiled again. Undefined symbols are
# errors, and the consumer's LibTorch is found by the consumer: the installed file has $ORIGIN alone.
function(attn_shared name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT;EXPORT" "ROOMS;LINK;LINK_PRIVATE")
  list(TRANSFORM arg_ROOMS REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  set(map "${PROJECT_SOURCE_DIR}/libattn/exports.map")
  add_library(${name} SHARED ${objects})
  add_library(attn::${arg_EXPORT} ALIAS ${name})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME ${arg_OUTPUT} EXPORT_NAME ${arg_EXPORT} LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS "${map}"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib" INSTALL_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH ON)
  target_include_directories(${name} INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/libattn/include>" "$<INSTALL_INTERFACE:include>")
  target_compile_features(${name} INTERFACE cxx_std_20)
  target_link_options(${name} PRIVATE
    LINKER:--no-undefined LINKER:--as-needed LINKER:--exclude-libs,ALL "LINKER:--version-script=${map}")
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE $<BUILD_INTERFACE:attn_flags> ${arg_LINK_PRIVATE})
endfunction()

function(attn_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH;INSTALL" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE attn_flags ${arg_LINK})
  _attn_common(${name} "${arg_TORCH}")
  if(arg_INSTALL)
    # RPATH, not RUNPATH: it holds for the libraries that the bundled libraries need as well (see tools/package.sh).
    target_link_options(${name} PRIVATE LINKER:--disable-new-dtags)
    set_target_properties(${name} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/bundled:$ORIGIN/../lib" INSTALL_RPATH_USE_LINK_PATH ON)
    set_property(GLOBAL APPEND PROPERTY ATTN_INSTALLED_PROGRAMS ${name})
  endif()
endfunction()

function(attn_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "TIMEOUT" "SOURCES;LINK;LABELS")
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE attn_flags $<TARGET_NAME_IF_EXISTS:GTest::gmock> GTest::gtest_main ${arg_LINK})
  target_compile_definitions(${name} PRIVATE "ATTN_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"" "ATTN_BINARY_DIR=\"${PROJECT_BINARY_DIR}\"")
  _attn_common(${name} "${arg_TORCH}")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  # One ctest entry a program: loading LibTorch once per test case would cost more than most cases do.
  add_test(NAME ${name} COMMAND ${name})
  # Threads that wait do not spin: beside other work a test of two threads would take twenty times as long.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" ENVIRONMENT "OMP_WAIT_POLICY=passive")
endfunction()
