# Writes revision.cpp at build time, and only when the revision has changed: then one file is compiled again, not the tree.
#   cmake -DSOURCE=... -DOUTPUT=... -P WriteRevision.cmake
find_program(GIT git)
set(revision "unknown")
if(GIT)
  execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --dirty --abbrev=10 --exclude=*
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed AND found)
    set(revision "${found}")
  endif()
endif()
set(text "#include \"apps/common/revision.h\"\n\nconst char* attn::app::git_revision() { return \"${revision}\"; }\n")
set(before "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT before STREQUAL text)
  file(WRITE "${OUTPUT}" "${text}")
endif()
