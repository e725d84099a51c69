/* What the shared libraries show: everything else in them is hidden. For C and C++. */
#ifndef ATTN_EXPORT_H_
#define ATTN_EXPORT_H_

#if defined(_WIN32)
#define ATTN_PUBLIC __declspec(dllexport)
#else
#define ATTN_PUBLIC __attribute__((visibility("default")))
#endif

#endif /* ATTN_EXPORT_H_ */
