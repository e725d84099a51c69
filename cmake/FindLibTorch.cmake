# FindLibTorch: imported targets over a LibTorch, whether from the PyPI torch wheel or an unzipped libtorch.
#
#   LibTorch::cpu    headers, libtorch_cpu and libc10: all that a CPU program links
#   LibTorch::cuda   the same with libtorch_cuda and libc10_cuda; defined only where they are
#
# Where it is looked for, the first that is stated and no other: LIBTORCH_ROOT (cache variable, then environment),
# Torch_DIR (its share/cmake/Torch folder; likewise). Where neither is: CMAKE_PREFIX_PATH (likewise; also share/cmake, which
# torch.utils.cmake_prefix_path gives), then the Python on the path (its torch is located, not imported). Nothing found is
# kept from one configuration to the next, so that a changed root counts.
#
# The wheel's own TorchConfig.cmake is not used: without a CUDA toolkit it stops, and with one it enables the
# CUDA language, overrides the architectures asked for and links the whole CUDA stack.

set(_libtorch_roots)
foreach(_candidate "${LIBTORCH_ROOT}" "$ENV{LIBTORCH_ROOT}" "${Torch_DIR}" "$ENV{Torch_DIR}")
  if(_candidate AND NOT _libtorch_roots)
    string(REGEX REPLACE "/share/cmake/Torch/?$" "" _libtorch_roots "${_candidate}")
  endif()
endforeach()
if(NOT _libtorch_roots)
  string(REPLACE ":" ";" _from_environment "$ENV{CMAKE_PREFIX_PATH}")
  find_package(Python3 QUIET COMPONENTS Interpreter)
  if(Python3_Interpreter_FOUND)
    execute_process(
      COMMAND "${Python3_EXECUTABLE}" -c
        "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _from_python OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  set(_libtorch_roots ${CMAKE_PREFIX_PATH} ${_from_environment} ${_from_python})
  list(TRANSFORM _libtorch_roots REPLACE "/share/cmake/?$" "")
endif()

unset(LibTorch_INCLUDE_DIR CACHE)
find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h
  HINTS ${_libtorch_roots} PATH_SUFFIXES include NO_DEFAULT_PATH NO_CACHE)
foreach(_lib c10 torch_cpu c10_cuda torch_cuda)
  unset(LibTorch_${_lib}_LIBRARY CACHE)
  find_library(LibTorch_${_lib}_LIBRARY ${_lib}
    HINTS ${_libtorch_roots} PATH_SUFFIXES lib NO_DEFAULT_PATH NO_CACHE)
endforeach()

if(EXISTS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
  file(STRINGS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h" _version_lines
       REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" _version_lines "${_version_lines}")
  list(JOIN _version_lines "." LibTorch_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE "Run ./dev build, or point LIBTORCH_ROOT at a folder with LibTorch's include/ and lib/.")
if(NOT LibTorch_FOUND OR TARGET LibTorch::cpu)
  return()
endif()

# The wheel's include/ also holds fmt 12, google, pybind11 and more, which would shadow the system's own (fmt 12
# over Debian's fmt 9 breaks spdlog). The compiler is shown a view with LibTorch's four folders only, of a name of its own
# for each LibTorch, so that everything is compiled anew for another one.
string(SHA256 _view "${LibTorch_INCLUDE_DIR} ${LibTorch_VERSION}")
string(SUBSTRING "${_view}" 0 12 _view)
set(_view "${CMAKE_BINARY_DIR}/libtorch-include/${_view}")
file(MAKE_DIRECTORY "${_view}")
foreach(_dir ATen c10 caffe2 torch)
  file(CREATE_LINK "${LibTorch_INCLUDE_DIR}/${_dir}" "${_view}/${_dir}" SYMBOLIC)
endforeach()

foreach(_lib c10 torch_cpu c10_cuda torch_cuda)
  if(LibTorch_${_lib}_LIBRARY)
    add_library(LibTorch::${_lib} SHARED IMPORTED)
    set_target_properties(LibTorch::${_lib} PROPERTIES IMPORTED_LOCATION "${LibTorch_${_lib}_LIBRARY}")
  endif()
endforeach()

add_library(LibTorch::cpu INTERFACE IMPORTED)
target_include_directories(LibTorch::cpu INTERFACE "${_view}" "${_view}/torch/csrc/api/include")
target_link_libraries(LibTorch::cpu INTERFACE LibTorch::torch_cpu LibTorch::c10)
if(TARGET LibTorch::torch_cuda AND TARGET LibTorch::c10_cuda)
  add_library(LibTorch::cuda INTERFACE IMPORTED)
  target_link_libraries(LibTorch::cuda INTERFACE LibTorch::cpu LibTorch::torch_cuda LibTorch::c10_cuda)
endif()
