/* The version: the one place that states it, CMake reads it here. For C and C++. */
#ifndef ATTN_VERSION_H_
#define ATTN_VERSION_H_

#define ATTN_VERSION_MAJOR 0
#define ATTN_VERSION_MINOR 1
#define ATTN_VERSION_PATCH 0

/* "0.1.0": of these headers; attn_version() tells the library's. */
#define ATTN_VERSION_TEXT ATTN_JOIN_(ATTN_VERSION_MAJOR, ATTN_VERSION_MINOR, ATTN_VERSION_PATCH)
#define ATTN_JOIN_(major, minor, patch) ATTN_JOIN_TEXT_(major, minor, patch)
#define ATTN_JOIN_TEXT_(major, minor, patch) #major "." #minor "." #patch

#endif /* ATTN_VERSION_H_ */
