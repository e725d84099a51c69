"""What the peers share: safetensors, how a time is taken, and the answers to bench/peer_process.h."""
import ctypes
import json
import os
import struct
import sys
import time

import torch

TYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64}


def read_safetensors(path):
    """Tensors by name, and the metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data[begin:end], dtype=TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, header.get("__metadata__", {})


def write_safetensors(path, tensors, metadata):
    header, blobs, end = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        word = next(word for word, of in TYPES.items() if of == tensor.dtype)
        blobs.append(tensor.detach().contiguous().numpy().tobytes())
        header[name] = {"dtype": word, "shape": list(tensor.shape), "data_offsets": [end, end + len(blobs[-1])]}
        end += len(blobs[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def seconds_of(run, times):
    """As the benchmarks take them: the processor's on one thread, else the clock's."""
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = now()
    for _ in range(times):
        run()
    return (now() - start) / times


def keep_freed_memory():
    """As the benchmarks do, unless told otherwise: large results are not made of fresh pages each time."""
    if "ATTN_BENCH_FRESH" in os.environ:
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(-4, 0)  # M_MMAP_MAX
    libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD


def answer(about, cases, repeats, serve):
    """Says `about`, then times what is asked for, one line "CASE TIMES" at a time; without `serve` times every case."""
    if not serve:
        for name, run in cases.items():
            run()
            about[name] = 1e3 * min(seconds_of(run, 1) for _ in range(repeats))
        print(json.dumps(about, indent=1))
        return
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        name, times = line.split()
        print(json.dumps({"seconds": seconds_of(cases[name], int(times))}), flush=True)
