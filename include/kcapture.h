/* kcapture: the Linux crash-capture path. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef KCAPTURE_H
#define KCAPTURE_H

/* Generated from capi/ by `cargo xtask header`. Do not edit. */

#include <stddef.h>
#include <stdint.h>
/* A program that links the freestanding library defines KCAPTURE_FREESTANDING. */
#ifndef KCAPTURE_FREESTANDING
#define KCAPTURE_HOSTED 1
#endif

/*
 Conventions

 - A function is `kcap_<noun>_<verb>` and answers a `kcap_status`: 0, or a number that never
   changes. On failure nothing is written through its pointers but its `kcap_error`, if one was
   given, and memory that has no content of its own (work, scratch, tables, buffers), unless its comment says more. Getters
   that cannot fail answer the value.
 - Objects live in memory of the caller: `_size()` bytes, aligned to `_align()`, filled in by `_init()`. They need no
   clean-up and hold no resource of the system (those of the hosted build that do have a `_close()`). They are not to be moved
   or copied, and what was given to an `_init()` and is kept (its comment says so) must stay until the last use of the object.
   An object whose `_init()` failed is none.
 - Structs that may grow begin with their size in bytes, which the caller sets.
 - Callback tables begin with a `ctx`, which every callback is given first. They do not grow. A callback may not use the objects of
   the call that called it, and may not unwind or `longjmp`.
 - A pointer may be NULL only where it says so, and where it comes with a length of 0. Arrays come as pointer and
   number of elements, memory as pointer and number of bytes. What a call writes overlaps nothing else that the call is given.
 - Numbers are of the host's byte order; byte orders of files and of the dumped machine are values.
 - The library has no global state. Different objects may be used by different threads at the same time; one object
   by one thread at a time, unless its comment says more.
 */

#ifdef __cplusplus
extern "C" {
#endif

/*
 ====================================================================================================
 What every function answers with.
 ====================================================================================================
 */

/* What became of a call: `KCAP_OK`, or one of the `KCAP_ERR_` numbers. Numbers never change; new ones may come. */
typedef int32_t kcap_status;

/* Done. */
#define KCAP_OK 0

/*
 A buffer or a piece of memory is too small: `kcap_error.value` has the bytes needed (or elements, where a function's comment
 says so).
 */
#define KCAP_ERR_BUFFER_TOO_SMALL 1

/* The input contradicts its format, or ends inside a field: `kcap_error` names the field and its offset. */
#define KCAP_ERR_CORRUPT 2

/* The format allows it and this library does not: `kcap_error` names the field and its value. */
#define KCAP_ERR_UNSUPPORTED 3

/* A callback or the operating system failed: `kcap_error.code` has its own code, and `value` the same in two's complement. */
#define KCAP_ERR_IO 4

/* The table that says which page frames the input holds cannot be read. */
#define KCAP_ERR_FRAMES 5

/* A chunk was committed out of order: `kcap_error.value` has the number of the one that is due. */
#define KCAP_ERR_OUT_OF_ORDER 6

/* The memory changed while it was being saved. */
#define KCAP_ERR_CHANGED 7

/* The output would be larger than the limit that was set. */
#define KCAP_ERR_LIMIT 8

/* VMCOREINFO lacks a key: `kcap_error.field` names it. */
#define KCAP_ERR_MISSING_KEY 16

/* The page tables of the crashed kernel do not map themselves. */
#define KCAP_ERR_PAGE_TABLES 17

/* The log of the crashed kernel cannot be read. */
#define KCAP_ERR_LOG_UNREADABLE 18

/* The command line is longer than the kernel takes: `kcap_error.value` has its length. */
#define KCAP_ERR_COMMAND_LINE_TOO_LONG 20

/* `/proc/iomem` shows no addresses without `CAP_SYS_ADMIN`. */
#define KCAP_ERR_ADDRESSES_HIDDEN 21

/* An object uses a symbol that nothing defines. */
#define KCAP_ERR_UNDEFINED_SYMBOL 30

/* A value does not fit in the field that a relocation fills. */
#define KCAP_ERR_RELOCATION_OVERFLOW 31

/* An object defines no symbol of the name. */
#define KCAP_ERR_NO_SUCH_SYMBOL 32

/* The bytes for a symbol are not as many as the symbol has: `kcap_error.value` has its size. */
#define KCAP_ERR_SYMBOL_SIZE 33

/* A symbol has no bytes in the file. */
#define KCAP_ERR_SYMBOL_WITHOUT_BYTES 34

/* A version of the map is in the making, or readers hold as many as there is room for: try again. */
#define KCAP_ERR_BUSY 35

/* No version of the map is in the making. */
#define KCAP_ERR_NOT_BEGUN 36

/* No memory is set aside for a crash kernel (`crashkernel=`). */
#define KCAP_ERR_NO_CRASH_REGION 40

/* The elfcorehdr does not begin with the ELF magic. */
#define KCAP_ERR_NO_ELFCOREHDR 41

/* The kernel image is of a kind that cannot be placed. */
#define KCAP_ERR_KERNEL_KIND 42

/* The kernel cannot be entered with 5-level page tables, and the machine runs with them. */
#define KCAP_ERR_FIVE_LEVEL_PAGING 43

/* No free memory is left for a segment: `kcap_error.value` has the bytes that it needs, `field` its name. */
#define KCAP_ERR_NO_ROOM 44

/* A segment begins with the ELF magic: the kernel would take it for the elfcorehdr. `kcap_error.field` names it. */
#define KCAP_ERR_ELF_MAGIC 45

/* The running kernel would refuse the plan: `kcap_error.value` has the `errno` that it would answer. */
#define KCAP_ERR_REFUSED 46

/* The kernel is an ELF kernel of which nothing says that it is Linux: how it is entered is not known. */
#define KCAP_ERR_NO_LINUX 47

/* The command line has an `elfcorehdr=`, and the plan has to add its own. */
#define KCAP_ERR_ELFCOREHDR_GIVEN 48

/* A compressed page ends too early. */
#define KCAP_ERR_PAGE_TRUNCATED 50

/* A compressed page is corrupt. */
#define KCAP_ERR_PAGE_CORRUPT 51

/* A compressed page does not decompress to one page. */
#define KCAP_ERR_PAGE_LENGTH 52

/* Bytes follow a compressed page. */
#define KCAP_ERR_PAGE_TRAILING_BYTES 53

/* A compressed page has a wrong checksum. */
#define KCAP_ERR_PAGE_CHECKSUM 54

/* A compressed page needs a feature of its format that this library does not have. */
#define KCAP_ERR_PAGE_FEATURE 55

/* A pointer is NULL that may not be. */
#define KCAP_ERR_NULL 60

/* A pointer is not aligned for what it points at. */
#define KCAP_ERR_ALIGNMENT 61

/* A length or a struct's own size is one that no object can have. */
#define KCAP_ERR_LENGTH 62

/* A number is none of those that the parameter takes: `kcap_error.value` has it, `field` names the parameter. */
#define KCAP_ERR_INVALID 63

/* What was asked for is not there. */
#define KCAP_ERR_NOT_FOUND 64

/* The object is not in the state that the call needs. */
#define KCAP_ERR_STATE 65

/* There is nothing left: the end of a list, not a failure. */
#define KCAP_END 66

/* No memory is known at the address. */
#define KCAP_ERR_HOLE 70

/* The memory was left out when the dump was made. */
#define KCAP_ERR_EXCLUDED 71

/* The page was to be saved, and is damaged or missing in the file. */
#define KCAP_ERR_LOST 72

/* A virtual address is not mapped: `kcap_error.value` has the address. */
#define KCAP_ERR_NOT_MAPPED 73

/* The hardware reports the memory as broken. */
#define KCAP_ERR_POISON 74

/* The data of a page overlap those of another one, and are not the same. */
#define KCAP_ERR_OVERLAP 75

/* What a status means, in English: a string of the library's own, NUL-terminated, never NULL. */
const char *kcap_status_str(kcap_status status);

/*
 ====================================================================================================
 What is known of a failure, and how every function answers.
 ====================================================================================================
 */

/* Bytes of the name in `kcap_error`, its NUL among them. */
#define KCAP_FIELD_LEN 48

/* What is known of a failure beyond its status. Set `size` before the call; on success nothing is written. */
typedef struct kcap_error {
  /* `sizeof(kcap_error)`. */
  size_t size;
  /* The status that the function answered. */
  kcap_status status;
  /* The code of the operating system or of the callback, where there is one. */
  int32_t code;
  /* Where the field stands, in bytes from the start of the input. */
  uint64_t offset;
  /* What the status says of it: bytes needed, the value of a field, a number. */
  uint64_t value;
  /* The field's name in its format's own words, NUL-terminated, empty where there is none. */
  char field[KCAP_FIELD_LEN];
} kcap_error;

/*
 ====================================================================================================
 Which library this is, and what it was built with.
 ====================================================================================================
 */

/* The version that this header describes, as `kcap_version` answers it. */
#define KCAP_VERSION 0x00000100

/*
 The library's version: major in bits 16 to 31, minor in bits 8 to 15, patch in bits 0 to 7.

 Libraries of one major version serve programs built for an older minor one; before 1.0 the minor version counts
 as the major.
 */
uint32_t kcap_version(void);

/* The library's version in words, such as "0.1.0": a string of the library's own, never NULL. */
const char *kcap_version_str(void);

/*
 Whether the library was built with a feature: 1 or 0 (0 for NULL too).

 Features: "hosted" (files, system calls, what the running machine says of itself), "zlib", "lzo", "snappy", "zstd",
 "load-x86_64" (the planner places kernels of this machine), "filter-x86_64" (pages of this machine are told apart).
 */
int32_t kcap_has(const char *feature);

/*
 ====================================================================================================
 What the caller provides: bytes of files and of memory, a place for output and for a log.
 ====================================================================================================
 */

/*
 What `kcap_phys_memory` callbacks answer where no memory is known at the address. Every other number but 0 is the caller's
 own code.
 */
#define KCAP_FAULT_HOLE 0x40000001

/* As above: the memory was there and was left out. */
#define KCAP_FAULT_EXCLUDED 0x40000002

/* As above: the memory is damaged or missing in the file. */
#define KCAP_FAULT_LOST 0x40000003

/*
 As above, and what `kcap_read_at.read_at` answers too: the hardware reports the memory as broken (`EHWPOISON`, a machine
 check). It is not read again.
 */
#define KCAP_FAULT_POISON 0x40000004

/*
 Positional reads from a file, a block device or memory.

 Where an object is used by several threads, its callbacks are called by several threads.
 */
typedef struct kcap_read_at {
  /* Given to every callback as it is. */
  void *ctx;
  /*
   Fills `buf` with the `len` bytes that start `offset` bytes into the input, all or nothing: 0, `KCAP_FAULT_POISON`, or the
   caller's own code, which comes back in `kcap_error.code`. May not be NULL.
   */
  int32_t (*read_at)(void *ctx, uint64_t offset, uint8_t *buf, size_t len);
  /* The input's size in bytes, or `UINT64_MAX` where it is not known. NULL: it is not known. */
  uint64_t (*size)(void *ctx);
} kcap_read_at;

/* Positional writes to a file, a block device or memory. */
typedef struct kcap_write_at {
  /* Given to every callback as it is. */
  void *ctx;
  /*
   Writes all of the `len` bytes at `bytes`, `offset` bytes into the output: 0, or the caller's own code, which comes
   back in `kcap_error.code`. May not be NULL.
   */
  int32_t (*write_at)(void *ctx, uint64_t offset, const uint8_t *bytes, size_t len);
  /* Returns when everything written so far is on stable storage: 0, or the caller's own code. NULL: nothing to do. */
  int32_t (*sync)(void *ctx);
  /* Not 0: an offset may be written once only, as on a pipe. */
  int32_t write_once;
} kcap_write_at;

/* A version of a `kcap_versioned_map` that is held. */
typedef struct kcap_map_version {
  /* The number of the version: a later one has a higher one. */
  uint64_t epoch;
  /* Where the map keeps it. */
  uint64_t slot;
} kcap_map_version;

/* Whom to tell of a new version of a `kcap_versioned_map`. */
typedef struct kcap_version_observer {
  /* Given to every callback as it is. */
  void *ctx;
  /*
   The map has a new version, `after`, in the place of `before`. Both are held while this runs, and the map may be used: to read them, to
   hold versions for longer, not for a change. May not be NULL.
   */
  void (*published)(void *ctx, const struct kcap_map_version *before, const struct kcap_map_version *after);
} kcap_version_observer;

/* Physical memory that is at hand as bytes. */
typedef struct kcap_physical_bytes {
  /* Given to every callback as it is. */
  void *ctx;
  /*
   The `len` bytes at the physical address `start`, which stay as they are for the call that asked; NULL where there are
   none. May not be NULL itself.
   */
  const uint8_t *(*bytes)(void *ctx, uint64_t start, uint64_t len);
} kcap_physical_bytes;

/*
 The memory of the crashed machine, as the caller reads it.

 Where several objects are made of one table and used by several threads, its callbacks are called by several threads.
 */
typedef struct kcap_phys_memory {
  /* Given to every callback as it is. */
  void *ctx;
  /* The page size of the crashed machine in bytes: a power of two from 4096 to 65536. */
  uint64_t page_size;
  /*
   Fills `buf` with the `len` bytes at physical address `addr`, which may span pages, all or nothing: 0, one of the
   `KCAP_FAULT_` numbers, or the caller's own code. May not be NULL.
   */
  int32_t (*read)(void *ctx, uint64_t addr, uint8_t *buf, size_t len);
  /*
   The `len` bytes at `addr` in place, until the next call of any of the callbacks; NULL where that cannot be done, and
   they are then read. NULL: never.
   */
  const uint8_t *(*view)(void *ctx, uint64_t addr, size_t len);
  /*
   Writes the first run of page frames at or above `from` that the machine had, readable or not, to `start` and `end`, half
   open, and answers 0; both equal where there are no more. Otherwise a number as `read` answers. Neighbouring runs may come
   in pieces, never twice. May not be NULL.
   */
  int32_t (*next_known)(void *ctx, uint64_t from, uint64_t *start, uint64_t *end);
  /* As `next_known`, for the page frames whose bytes are there to be read. NULL: all of them. */
  int32_t (*next_held)(void *ctx, uint64_t from, uint64_t *start, uint64_t *end);
} kcap_phys_memory;

/* Reads the crashed kernel's virtual memory, for its log. */
typedef struct kcap_log_reader {
  /* Given to the callback as it is. */
  void *ctx;
  /*
   Fills `buf` with the `len` bytes at virtual address `addr`, all or nothing: 0, one of the `KCAP_FAULT_` numbers, or the
   caller's own code. May not be NULL.
   */
  int32_t (*read)(void *ctx, uint64_t addr, uint8_t *buf, size_t len);
} kcap_log_reader;

/* One record of the log. */
typedef struct kcap_log_record {
  /* The record's sequence number since boot, if `has_seq`. */
  uint64_t seq;
  /* Time since boot in nanoseconds, if `has_ts`. */
  uint64_t ts_nsec;
  /*
   The text without prefix and final newline, not NUL-terminated. It is used until the callback returns. Of a flat
   log, a piece of the ring that may begin and end anywhere.
   */
  const uint8_t *text;
  /* The number of bytes at `text`. */
  size_t text_len;
  /* The raw `caller_id`, if `has_caller`: a thread's number, or a CPU's with the top bit set. */
  uint32_t caller_id;
  /* 1 if `seq` is known. */
  uint32_t has_seq;
  /* 1 if `ts_nsec` is known. A flat log has its time stamps written out, if any. */
  uint32_t has_ts;
  /* 1 if `caller_id` is known. */
  uint32_t has_caller;
  /* 1 if the text was longer than the buffer and lacks its end. */
  uint32_t cut;
  /* 0. */
  uint32_t reserved;
} kcap_log_record;

/*
 Where the log of the crashed kernel goes. A callback that answers not 0 is called no more, and its answer comes back in
 `kcap_error.code`.
 */
typedef struct kcap_log_sink {
  /* Given to every callback as it is. */
  void *ctx;
  /*
   Takes a record, which is used until the callback returns: 0, or the caller's own code. NULL where records are not read
   one by one.
   */
  int32_t (*record)(void *ctx, const struct kcap_log_record *record);
  /* Takes `len` bytes of text: 0, or the caller's own code. NULL where no lines are written. */
  int32_t (*text)(void *ctx, const uint8_t *bytes, size_t len);
} kcap_log_sink;

/*
 ====================================================================================================
 How a machine is named: byte order, bits of an address, page size, names of its kernel.
 ====================================================================================================
 */

/* `e_machine`: 32-bit x86. */
#define KCAP_EM_386 3

/* `e_machine`: MIPS, 32- and 64-bit. */
#define KCAP_EM_MIPS 8

/* `e_machine`: 32-bit PowerPC. */
#define KCAP_EM_PPC 20

/* `e_machine`: 64-bit PowerPC, either byte order. */
#define KCAP_EM_PPC64 21

/* `e_machine`: S/390 and z/Architecture. */
#define KCAP_EM_S390 22

/* `e_machine`: 32-bit Arm. */
#define KCAP_EM_ARM 40

/* `e_machine`: 64-bit x86. */
#define KCAP_EM_X86_64 62

/* `e_machine`: 64-bit Arm. */
#define KCAP_EM_AARCH64 183

/* `e_machine`: RISC-V, 32- and 64-bit. */
#define KCAP_EM_RISCV 243

/* `e_machine`: `LoongArch`. */
#define KCAP_EM_LOONGARCH 258

/* Bytes of one string of a `kcap_utsname`, its NUL among them. */
#define KCAP_UTSNAME_LEN 65

/* `struct new_utsname` of a kernel: NUL-terminated strings, empty where unknown. */
typedef struct kcap_utsname {
  /* "Linux". */
  char sysname[KCAP_UTSNAME_LEN];
  /* The host's name. */
  char nodename[KCAP_UTSNAME_LEN];
  /* The kernel's release, as in `uname -r`. */
  char release[KCAP_UTSNAME_LEN];
  /* The kernel's build, as in `uname -v`. */
  char version[KCAP_UTSNAME_LEN];
  /* The machine, as in `uname -m`. */
  char machine[KCAP_UTSNAME_LEN];
  /* The NIS domain. */
  char domainname[KCAP_UTSNAME_LEN];
} kcap_utsname;

/* A run of page frames, half open. */
typedef struct kcap_pfn_range {
  /* The first page frame. */
  uint64_t start;
  /* The page frame after the last one. */
  uint64_t end;
} kcap_pfn_range;

/*
 ====================================================================================================
 Page codecs: one page of a dump packed and unpacked, each page by itself.
 ====================================================================================================
 */

/* How pages are packed: one of the `KCAP_COMPRESSION_` numbers, which are the bits of `page_desc.flags`. */
typedef uint32_t kcap_compression;

/* Not at all: the page's bytes. */
#define KCAP_COMPRESSION_RAW 0

/* A zlib stream (RFC 1950), with its header and checksum. */
#define KCAP_COMPRESSION_ZLIB 1

/* An LZO1X block. */
#define KCAP_COMPRESSION_LZO 2

/* A snappy block, without framing. */
#define KCAP_COMPRESSION_SNAPPY 4

/* One Zstandard frame (RFC 8878). */
#define KCAP_COMPRESSION_ZSTD 0x20

/* The longest page that is packed, in bytes. */
#define KCAP_PAGE_MAX 0x10000

/*
 The scratch that `kcap_page_encode` needs for pages of `page_len` bytes, in bytes: at most 64 KiB for 4 KiB. 0 for an
 unknown compression, and where none is needed.
 */
size_t kcap_page_encode_scratch(kcap_compression compression,
                                size_t page_len);

/*
 Packs the `page_len` bytes at `page` into the front of the `out_len` bytes at `out`, and writes their number to `packed`.

 0 in `packed`: the result does not fit, store the page as it is. Give `out` the length that is still worth
 storing, at most the page's. `scratch`, aligned to 4, has `kcap_page_encode_scratch` bytes and no content that matters. The result
 depends on the page and on `out_len` alone. Threads may call it at once, with a scratch each. `error` may be NULL.

 Errors: `KCAP_ERR_INVALID` (compression, or more than `KCAP_PAGE_MAX` bytes), `KCAP_ERR_BUFFER_TOO_SMALL` (scratch),
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_page_encode(kcap_compression compression,
                             const uint8_t *page,
                             size_t page_len,
                             uint8_t *out,
                             size_t out_len,
                             void *scratch,
                             size_t scratch_len,
                             size_t *packed,
                             struct kcap_error *error);

/*
 What unpacking pages needs: tables of one page's codes, below 24 KiB. Of any compression, and with nothing kept from one
 page to the next.
 */
typedef struct kcap_page_decoder kcap_page_decoder;

/* The size of a `kcap_page_decoder`, in bytes. */
size_t kcap_page_decoder_size(void);

/* What the address of a `kcap_page_decoder` must be a multiple of. */
size_t kcap_page_decoder_align(void);

/*
 Makes a decoder in the `decoder_len` bytes at `decoder`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`.
 */
kcap_status kcap_page_decoder_init(struct kcap_page_decoder *decoder,
                                   size_t decoder_len,
                                   struct kcap_error *error);

/*
 Unpacks the `packed_len` bytes at `packed` to the whole of the `page_len` bytes at `page`, whose content is unspecified
 after an error. `error` may be NULL.

 Errors: one of the `KCAP_ERR_PAGE_` statuses unless `packed` holds exactly one page; `KCAP_ERR_INVALID` (compression),
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_page_decode(struct kcap_page_decoder *decoder,
                             kcap_compression compression,
                             const uint8_t *packed,
                             size_t packed_len,
                             uint8_t *page,
                             size_t page_len,
                             struct kcap_error *error);

/*
 ====================================================================================================
 VMCOREINFO: what the dumped kernel says about its own structures.
 ====================================================================================================
 */

/*
 The text of a VMCOREINFO note, looked up in place: lines of the form `KEY=value`. Where a key stands twice the first line
 counts. A value that is not of the asked form counts as missing.

 Threads may use one object at once.
 */
typedef struct kcap_vmcoreinfo kcap_vmcoreinfo;

/* The size of a `kcap_vmcoreinfo`, in bytes. */
size_t kcap_vmcoreinfo_size(void);

/* What the address of a `kcap_vmcoreinfo` must be a multiple of. */
size_t kcap_vmcoreinfo_align(void);

/*
 The VMCOREINFO whose text are the `text_len` bytes at `text` (the descriptor of the note), which are used for as long as
 the object is; in the `info_len` bytes at `info`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_init(struct kcap_vmcoreinfo *info,
                                 size_t info_len,
                                 const uint8_t *text,
                                 size_t text_len,
                                 struct kcap_error *error);

/* A piece of a text that is not NUL-terminated. */
typedef struct kcap_text {
  /* The first byte, in the memory of the object that gave it. Never NULL. */
  const char *bytes;
  /* The number of bytes. */
  size_t len;
} kcap_text;

/*
 Writes the whole text to `text`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_text(const struct kcap_vmcoreinfo *info, struct kcap_text *text);

/*
 Writes the value of `key`, such as `OSRELEASE`, `BUILD-ID` or `SYMBOL(init_uts_ns)`, to `value`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_get(const struct kcap_vmcoreinfo *info, const char *key, struct kcap_text *value);

/*
 Writes `SYMBOL(name)`, the virtual address of a kernel symbol, KASLR included, to `value`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_get_symbol(const struct kcap_vmcoreinfo *info, const char *name, uint64_t *value);

/*
 Writes `SIZE(name)`, the size of a type in bytes, to `value`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_get_size(const struct kcap_vmcoreinfo *info, const char *name, uint64_t *value);

/*
 Writes `OFFSET(name)`, where a member such as "page.flags" stands in its structure, in bytes, to `value`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_get_offset(const struct kcap_vmcoreinfo *info, const char *name, uint64_t *value);

/*
 Writes `LENGTH(name)`, the number of elements of an array, to `value`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_get_length(const struct kcap_vmcoreinfo *info, const char *name, uint64_t *value);

/*
 Writes `NUMBER(name)`, a constant of the kernel, to `value`. Numbers from 2^63 on come as the same 64 bits, so negative.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_get_number(const struct kcap_vmcoreinfo *info,
                                       const char *name,
                                       int64_t *value);

/* What VMCOREINFO says of the machine, by the flags that say what is known. Set `size` before the call. */
typedef struct kcap_vmcoreinfo_facts {
  /* `sizeof(kcap_vmcoreinfo_facts)`. */
  size_t size;
  /* `PAGESIZE`: bytes of a page; 0 if unknown. */
  uint64_t page_size;
  /* `CRASHTIME`: when the machine crashed, in seconds since 1970. */
  int64_t crash_time;
  /* `KERNELOFFSET`: how far KASLR moved the kernel's image, in bytes. */
  uint64_t kernel_offset;
  /* 1 if `crash_time` is known: the dump was not taken of a running machine. */
  uint32_t has_crash_time;
  /* 1 if `kernel_offset` is known. */
  uint32_t has_kernel_offset;
} kcap_vmcoreinfo_facts;

/*
 Writes what VMCOREINFO says of the machine to `facts`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_vmcoreinfo_get_facts(const struct kcap_vmcoreinfo *info,
                                      struct kcap_vmcoreinfo_facts *facts);

/*
 Writes the next line's key and value to `key` and `value`, unknown keys too. `position` is 0 for the first line and is set
 to that of the line after it.

 Errors: `KCAP_END` after the last line, `KCAP_ERR_NULL`.
 */
kcap_status kcap_vmcoreinfo_next(const struct kcap_vmcoreinfo *info,
                                 size_t *position,
                                 struct kcap_text *key,
                                 struct kcap_text *value);

/*
 ====================================================================================================
 ELF cores: `/proc/vmcore`, and what gdb, QEMU and makedumpfile -E write.
 ====================================================================================================
 */

/*
 An ELF core, read in place. It keeps its input, and the memory for its program headers.

 Threads may use one object at once: nothing of it changes after its init.
 */
typedef struct kcap_elf_core kcap_elf_core;

/* The size of a `kcap_elf_core`, in bytes. */
size_t kcap_elf_core_size(void);

/* What the address of a `kcap_elf_core` must be a multiple of. */
size_t kcap_elf_core_align(void);

/*
 Opens the ELF core that `input` holds, in the `core_len` bytes at `core`.

 `table`, of `table_len` bytes and aligned to 8, takes the `PT_LOAD`s: 64 bytes do for each. `input` and `table` are used for as
 long as `core` is. A file that ends before its data does still opens. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `core`, or for `table`), `KCAP_ERR_CORRUPT`,
 `KCAP_ERR_UNSUPPORTED` (no core, unknown class or byte order), `KCAP_ERR_IO`.
 */
kcap_status kcap_elf_core_init(struct kcap_elf_core *core,
                               size_t core_len,
                               const struct kcap_read_at *input,
                               void *table,
                               size_t table_len,
                               struct kcap_error *error);

/* What the header of an ELF core says. Set `size` before the call. */
typedef struct kcap_elf_header {
  /* `sizeof(kcap_elf_header)`. */
  size_t size;
  /* The byte order of the file: 1 for big-endian, 0 for little-endian. */
  uint32_t big_endian;
  /* The bits of an address in the file: 32 or 64. */
  uint32_t bits;
  /* `e_machine`, a `KCAP_EM_` number. */
  uint32_t e_machine;
  /* `e_flags`. */
  uint32_t e_flags;
  /* The number of program headers, `PN_XNUM` resolved. */
  uint32_t phnum;
  /* The number of `PT_LOAD`s. */
  uint32_t load_count;
  /* The first physical address above all memory, in bytes. */
  uint64_t memory_end;
  /* Bytes of `PT_LOAD`s that the headers announce and the file no longer holds. */
  uint64_t missing_bytes;
} kcap_elf_header;

/*
 Writes what the header of `core` says to `header`, whose `size` is set.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_elf_core_get_header(const struct kcap_elf_core *core, struct kcap_elf_header *header);

/* A program header, of class 32 or 64 and of any byte order. */
typedef struct kcap_program_header {
  /* `p_type`: 1 for `PT_LOAD`, 4 for `PT_NOTE`. */
  uint32_t p_type;
  /* `p_flags`: `PF_` bits. */
  uint32_t p_flags;
  /* Where the segment's bytes start in the file. */
  uint64_t p_offset;
  /* The kernel virtual address of the first byte; 0 in dumps of firmware and hypervisors. */
  uint64_t p_vaddr;
  /* The physical address of the first byte. */
  uint64_t p_paddr;
  /* Bytes of the segment in the file. */
  uint64_t p_filesz;
  /* Bytes of the segment in memory; those past `p_filesz` were left out of the file. */
  uint64_t p_memsz;
  /* Alignment in bytes; 0 and 1 mean none. */
  uint64_t p_align;
} kcap_program_header;

/*
 Writes `PT_LOAD` number `index` of `core`, in file order and from 0, to `load`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_core_get_load(const struct kcap_elf_core *core,
                                   size_t index,
                                   struct kcap_program_header *load);

/*
 ====================================================================================================
 The headers of ELF cores as bytes.
 ====================================================================================================
 */

/* The places of a core file's headers, in bytes from the start of the file. */
typedef struct kcap_elf_layout {
  /* The length of the ELF header: 52 or 64. */
  uint64_t header_len;
  /* Where the program headers start. */
  uint64_t phoff;
  /* The length of one program header: 32 or 56. */
  uint64_t phentsize;
  /* Where the section header starts; 0 if the file needs none. One is needed from 65535 program headers on. */
  uint64_t shoff;
  /* The length of the section header; 0 if the file needs none. */
  uint64_t shentsize;
  /* Where the headers end. */
  uint64_t headers_len;
} kcap_elf_layout;

/*
 Writes where the headers of a core file of `phnum` program headers stand to `places`: ELF header, program headers, then, if it
 needs one, a section header.

 Errors: `KCAP_ERR_INVALID` (bits), `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_get_layout(uint32_t bits,
                                uint32_t phnum,
                                struct kcap_elf_layout *places);

/*
 Writes the ELF header of a core file of `phnum` program headers to the front of the `buf_len` bytes at `buf`, and its length, 52
 or 64, to `len`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (an offset that class 32 cannot hold),
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_header_encode(uint32_t big_endian,
                                   uint32_t bits,
                                   uint32_t e_machine,
                                   uint32_t e_flags,
                                   uint32_t phnum,
                                   uint8_t *buf,
                                   size_t buf_len,
                                   size_t *len,
                                   struct kcap_error *error);

/*
 Writes the section header of a core file of `phnum` program headers, which belongs at `kcap_elf_layout.shoff`, to the front of the
 `buf_len` bytes at `buf`, and its length, 0 if the file needs none, to `len`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_section_header_encode(uint32_t big_endian,
                                           uint32_t bits,
                                           uint32_t phnum,
                                           uint8_t *buf,
                                           size_t buf_len,
                                           size_t *len,
                                           struct kcap_error *error);

/*
 Writes the program header `phdr` to the front of the `buf_len` bytes at `buf`, and its length, 32 or 56, to `len`. `error` may be
 NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (an address or size that class 32 cannot
 hold), `KCAP_ERR_NULL`.
 */
kcap_status kcap_program_header_encode(const struct kcap_program_header *phdr,
                                       uint32_t big_endian,
                                       uint32_t bits,
                                       uint8_t *buf,
                                       size_t buf_len,
                                       size_t *len,
                                       struct kcap_error *error);

/*
 Reads the program header at the front of the `len` bytes at `bytes` to `phdr`. `error` may be NULL.

 Errors: `KCAP_ERR_CORRUPT` (`bytes` end early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_program_header_parse(const uint8_t *bytes,
                                      size_t len,
                                      uint32_t big_endian,
                                      uint32_t bits,
                                      struct kcap_program_header *phdr,
                                      struct kcap_error *error);

/*
 ====================================================================================================
 The parts of an ELF core beyond its memory: all program headers, note regions, what a cut file still holds.
 ====================================================================================================
 */

/*
 Writes program header number `index` of `core`, of any type, in file order and from 0, to `phdr`; it is read from the
 file. `error` may be NULL.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_core_get_program_header(const struct kcap_elf_core *core,
                                             uint32_t index,
                                             struct kcap_program_header *phdr,
                                             struct kcap_error *error);

/* Where notes stand in a file. */
typedef struct kcap_elf_notes {
  /* Where the region starts, in bytes from the start of the file. */
  uint64_t offset;
  /* Its length in bytes. */
  uint64_t len;
  /* `p_align` of its `PT_NOTE`, in bytes. */
  uint64_t align;
} kcap_elf_notes;

/*
 Writes where note region number `index` of `core`, in file order and from 0, stands to `region`: one for each `PT_NOTE`. `error` may
 be NULL.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_core_get_note_region(const struct kcap_elf_core *core,
                                          size_t index,
                                          struct kcap_elf_notes *region,
                                          struct kcap_error *error);

/*
 Writes how many of the `p_filesz` bytes of `PT_LOAD` number `index` the file really holds to `held`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_elf_core_get_held(const struct kcap_elf_core *core, size_t index, uint64_t *held);

/*
 ====================================================================================================
 The memory map: what lies where in physical memory.
 ====================================================================================================
 */

/* What a range of physical memory is: one of the `KCAP_RANGE_` numbers. */
typedef uint32_t kcap_range_kind;

/* RAM that the kernel uses freely: `System RAM`. */
#define KCAP_RANGE_SYSTEM_RAM 1

/*
 RAM that a driver brought and may take away: `System RAM (kmem)`, `System RAM (virtio_mem)`. Part of a dump, no place
 for a kernel.
 */
#define KCAP_RANGE_DRIVER_MANAGED_RAM 2

/* RAM that holds what must stay in place: part of a dump, no place for a kernel. */
#define KCAP_RANGE_RESERVED_RAM 3

/* RAM that was set aside for a crash kernel (`Crash kernel`): the place for one, no part of a dump. */
#define KCAP_RANGE_CRASH_KERNEL 4

/* No RAM, or RAM of the firmware (`Reserved`). */
#define KCAP_RANGE_RESERVED 5

/* Tables of the firmware, free once they were read (`ACPI Tables`). */
#define KCAP_RANGE_ACPI_TABLES 6

/* Memory of the firmware that must outlive sleep (`ACPI Non-volatile Storage`). */
#define KCAP_RANGE_ACPI_NVS 7

/* Memory with errors (`Unusable memory`). */
#define KCAP_RANGE_UNUSABLE 8

/* Persistent memory (`Persistent Memory`, E820 type 7). */
#define KCAP_RANGE_PERSISTENT 9

/* Persistent memory of the kind before NFIT (`Persistent Memory (legacy)`, E820 type 12). */
#define KCAP_RANGE_PERSISTENT_LEGACY 10

/* Memory set aside for a purpose of its own (`Soft Reserved`). */
#define KCAP_RANGE_SOFT_RESERVED 11

/* `KCAP_RANGE_DRIVER_MANAGED_RAM` that the driver `kmem` made of `KCAP_RANGE_PERSISTENT`, as firmware tells of it. */
#define KCAP_RANGE_DRIVER_MANAGED_PERSISTENT 12

/* `KCAP_RANGE_DRIVER_MANAGED_RAM` that the driver `kmem` made of `KCAP_RANGE_PERSISTENT_LEGACY`. */
#define KCAP_RANGE_DRIVER_MANAGED_PERSISTENT_LEGACY 13

/* `KCAP_RANGE_DRIVER_MANAGED_RAM` that the driver `kmem` made of `KCAP_RANGE_SOFT_RESERVED`. */
#define KCAP_RANGE_DRIVER_MANAGED_SOFT_RESERVED 14

/* Kinds as a set, bit n for kind n: all that the kernel counts as its RAM. */
#define KCAP_RANGES_RAM 0x701e

/* Kinds as a set, bit n for kind n: the RAM that a dump of the machine holds. */
#define KCAP_RANGES_DUMPED 0x700e

/* The name of a kind of memory, as in `/proc/iomem`: a string of the library's own, "unknown" for a number that is no kind. */
const char *kcap_range_kind_str(kcap_range_kind kind);

/* Physical addresses, half open: from `start` up to, and not including, `end`. Empty where `end` is not above `start`. */
typedef struct kcap_span {
  /* The first address. */
  uint64_t start;
  /* The first address past the end. */
  uint64_t end;
} kcap_span;

/* A range of physical memory that is all of one kind. */
typedef struct kcap_range {
  /* The first address. */
  uint64_t start;
  /* The first address past the end. */
  uint64_t end;
  /* What the memory is: a `KCAP_RANGE_` number. */
  kcap_range_kind kind;
  /* 0. */
  uint32_t reserved;
} kcap_range;

/*
 The physical memory of a machine: ranges in ascending order, none empty, none overlapping, and no two that touch of the
 same kind. It keeps the memory for its ranges.
 */
typedef struct kcap_memory_map kcap_memory_map;

/* The size of a `kcap_memory_map`, in bytes. */
size_t kcap_memory_map_size(void);

/* What the address of a `kcap_memory_map` must be a multiple of. */
size_t kcap_memory_map_align(void);

/*
 Makes an empty map, in the `map_len` bytes at `map`.

 `table`, of `table_len` bytes and aligned to 8, takes the ranges: 24 bytes do for each. It is used for as long as `map` is.
 `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `map`), `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_memory_map_init(struct kcap_memory_map *map,
                                 size_t map_len,
                                 void *table,
                                 size_t table_len,
                                 struct kcap_error *error);

/* The number of ranges in `map`; 0 for NULL. */
size_t kcap_memory_map_count(const struct kcap_memory_map *map);

/* The number of ranges that `map` has room for; 0 for NULL. */
size_t kcap_memory_map_capacity(const struct kcap_memory_map *map);

/*
 Writes range number `index` of `map`, in ascending order and from 0, to `range`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_map_get_range(const struct kcap_memory_map *map,
                                      size_t index,
                                      struct kcap_range *range);

/* What lies at `address`: a `KCAP_RANGE_` number, 0 where `map` says nothing. */
kcap_range_kind kcap_memory_map_kind_at(const struct kcap_memory_map *map, uint64_t address);

/* How many bytes are of this kind; 0 for NULL and for a number that is no kind. */
uint64_t kcap_memory_map_total(const struct kcap_memory_map *map, kcap_range_kind kind);

/*
 Writes to `span` the first addresses from `from` on that are of the kinds in `kinds` (bit n for kind n, as in
 `KCAP_RANGES_RAM`). Ranges that touch come as one.

 All of them, in ascending order: `for (from = 0; kcap_memory_map_next(map, kinds, from, &span) == KCAP_OK; from = span.end)`.

 Errors: `KCAP_END` where there are none left, `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_map_next(const struct kcap_memory_map *map,
                                 uint32_t kinds,
                                 uint64_t from,
                                 struct kcap_span *span);

/*
 Says that `range` is of its kind, whatever `map` said of it before. An empty range changes nothing.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the table), `KCAP_ERR_INVALID` (`kind`), `KCAP_ERR_NULL`. `map` is
 then as it was.
 */
kcap_status kcap_memory_map_set(struct kcap_memory_map *map,
                                const struct kcap_range *range,
                                struct kcap_error *error);

/*
 Says that `range` is of its kind where `map` says nothing yet.

 Errors: as for `kcap_memory_map_set`.
 */
kcap_status kcap_memory_map_add(struct kcap_memory_map *map,
                                const struct kcap_range *range,
                                struct kcap_error *error);

/*
 Forgets what lies in `span`.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` where a range is split and the table is full, `KCAP_ERR_NULL`. `map` is then as it was.
 */
kcap_status kcap_memory_map_remove(struct kcap_memory_map *map,
                                   const struct kcap_span *span,
                                   struct kcap_error *error);

/*
 Says that all memory of the kind `from` is of the kind `to`.

 Errors: `KCAP_ERR_INVALID` (`kind`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_map_replace_kind(struct kcap_memory_map *map,
                                         kcap_range_kind from,
                                         kcap_range_kind to);

/*
 Forgets every range.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_map_clear(struct kcap_memory_map *map);

/*
 ====================================================================================================
 The version of the memory map that a header was made of, in a note: by it the capture side sees a stale one.
 ====================================================================================================
 */

/* `n_type` of the note (name "KCAPTURE"). */
#define KCAP_NT_MAP_NOTE 0x4b430001

/* The length of the note with the all-zero header behind it that ends the notes of a `PT_NOTE`, in bytes. */
#define KCAP_MAP_NOTE_LEN 76

/* What the note says of the memory map that a header was made of. */
typedef struct kcap_map_note {
  /* The number of the version: a later one has a higher one. */
  uint64_t epoch;
  /*
   The SHA-256 of the memory that the header's `PT_LOAD`s name (`p_paddr`, `p_memsz`): of each range, in ascending order and as
   long as it goes without a gap, the first address and the first past the end, 8 bytes each, little-endian.
   */
  uint8_t sha256[32];
} kcap_map_note;

/*
 Reads the descriptor of a `KCAP_NOTE_MAP_VERSION`, the `len` bytes at `desc`, to `version`. What a later library adds to it is
 passed over. `error` may be NULL.

 Errors: `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID` (`big_endian`), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_map_note_parse(const uint8_t *desc,
                                size_t len,
                                uint32_t big_endian,
                                struct kcap_map_note *version,
                                struct kcap_error *error);

/*
 Writes the note, `KCAP_MAP_NOTE_LEN` bytes, to the front of the `buf_len` bytes at `buf`. It is to lie in memory of the
 crash region that stays, best right behind the elfcorehdr in its segment; the last of the header's `cpu_notes` tells of it.
 `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `buf`), `KCAP_ERR_INVALID` (`big_endian`), `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_map_note_encode(const struct kcap_map_note *version,
                                 uint32_t big_endian,
                                 uint8_t *buf,
                                 size_t buf_len,
                                 struct kcap_error *error);

/*
 ====================================================================================================
 A map of memory that lives: changes are published as a whole, and readers keep the version that they hold.
 ====================================================================================================
 */

/*
 A map of physical memory that changes while others read it.

 Changes go to a version in the making, which nobody sees before `kcap_versioned_map_commit` makes it the current one, with
 the next epoch. Readers hold a version; no change ever shows in it.

 Several threads may use a map at the same time, once it was made. Each call holds a spin lock, never while a callback runs, and none is
 to be made from an interrupt, NMI, signal or crash handler: the lock may be held by what it interrupted. A lookup and each 16
 ranges or changes that are read hold it for O(log n) and a step for each range, of n ranges; `kcap_versioned_map_commit`, `_abandon`,
 `_release`, and a `_set`, `_add` or `_remove` of much memory, in proportion to what they free or fill.

 One thread makes changes: whoever began, until it commits or abandons. A change takes O(log n) and a step for each range that it
 swallows, a commit a step for each node that changed. The map keeps the memory that it was given.
 */
typedef struct kcap_versioned_map kcap_versioned_map;

/* Memory whose kind is another one than before. */
typedef struct kcap_map_change {
  /* The first address. */
  uint64_t start;
  /* The first address past the end. */
  uint64_t end;
  /* What the memory was: a `KCAP_RANGE_` number, or 0 where the map said nothing. */
  kcap_range_kind before;
  /* What it is. */
  kcap_range_kind after;
} kcap_map_change;

/* The size of a `kcap_versioned_map`, in bytes. */
size_t kcap_versioned_map_size(void);

/* What the address of a `kcap_versioned_map` must be a multiple of. */
size_t kcap_versioned_map_align(void);

/*
 Bytes of memory with which `changes` changes to a map of `ranges` ranges succeed, whatever they are, where `versions` versions that
 differ everywhere are held, the current one counted. A `kcap_versioned_map_add` counts once for each gap that it fills. Far less
 does where versions have much in common.
 */
size_t kcap_versioned_map_work_len(size_t ranges,
                                   size_t changes,
                                   size_t versions);

/*
 Makes an empty map of epoch 0, in the `map_len` bytes at `map`.

 `versions` versions can be held at a time, the current one counted: 2 at least, since who is told of a new version holds the one before.
 `work`, of `work_len` bytes and aligned to 8, takes the ranges of all versions, and is used for as long as `map` is:
 `kcap_versioned_map_work_len` says how much is enough. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `map`, or for `work`), `KCAP_ERR_INVALID` (`versions`), `KCAP_ERR_NULL`,
 `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_versioned_map_init(struct kcap_versioned_map *map,
                                    size_t map_len,
                                    size_t versions,
                                    void *work,
                                    size_t work_len,
                                    struct kcap_error *error);

/* The epoch of the current version of `map`; 0 for NULL. */
uint64_t kcap_versioned_map_epoch(const struct kcap_versioned_map *map);

/*
 Starts a version: what the current one says, for changes.

 Errors: `KCAP_ERR_BUSY` where one is in the making, or somebody is still being told of the last; `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_begin(const struct kcap_versioned_map *map);

/*
 Says, in the version in the making, that `range` is of its kind, whatever `map` said of it before. An empty range changes nothing.

 Errors: `KCAP_ERR_NOT_BEGUN`; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of memory that the map needs for the change, which is then not
 made: those before are); `KCAP_ERR_INVALID` (`kind`); `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_set(const struct kcap_versioned_map *map,
                                   const struct kcap_range *range,
                                   struct kcap_error *error);

/*
 Says, in the version in the making, that `range` is of its kind where `map` says nothing yet.

 Errors: as for `kcap_versioned_map_set`; the gaps before the one that failed are filled.
 */
kcap_status kcap_versioned_map_add(const struct kcap_versioned_map *map,
                                   const struct kcap_range *range,
                                   struct kcap_error *error);

/*
 Forgets, in the version in the making, what lies in `span`.

 Errors: as for `kcap_versioned_map_set`.
 */
kcap_status kcap_versioned_map_remove(const struct kcap_versioned_map *map,
                                      const struct kcap_span *span,
                                      struct kcap_error *error);

/*
 Makes the version in the making the current one, and then tells `observer` of it, which may be NULL. A version that says the same
 as the one before is none: the epoch stays, and nobody is told. Writes the epoch to `epoch`, which may be NULL.

 Errors: `KCAP_ERR_NOT_BEGUN`; `KCAP_ERR_BUSY` where readers hold as many versions as there is room for: the version stays in the making, to be
 committed when one was released, or abandoned; `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_commit(const struct kcap_versioned_map *map,
                                      const struct kcap_version_observer *observer,
                                      uint64_t *epoch);

/*
 Forgets the version in the making, if there is one.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_abandon(const struct kcap_versioned_map *map);

/*
 Holds the current version of `map`, and writes which that is to `version`, for the other functions and at last for one
 `kcap_versioned_map_release`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_hold(const struct kcap_versioned_map *map,
                                    struct kcap_map_version *version);

/*
 Gives up a version.

 Errors: `KCAP_ERR_INVALID` where nobody holds it, `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_release(const struct kcap_versioned_map *map,
                                       const struct kcap_map_version *version);

/* The number of ranges of a version that is held; 0 for one that is not, and for NULL. */
size_t kcap_versioned_map_count(const struct kcap_versioned_map *map, const struct kcap_map_version *version);

/*
 What lies at `address` in a version that is held: a `KCAP_RANGE_` number, 0 where it says nothing, for a version that is not
 held, and for NULL.
 */
kcap_range_kind kcap_versioned_map_kind_at(const struct kcap_versioned_map *map,
                                           const struct kcap_map_version *version,
                                           uint64_t address);

/*
 Writes the ranges of a version that is held, in ascending order and from the address `from` on, to the `capacity` ranges at
 `ranges`, and their number to `count`. The first is cut at `from`. Fewer than `capacity`: there are no more; else go on from the
 `end` of the last.

 Errors: `KCAP_ERR_INVALID` where nobody holds the version, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_versioned_map_read(const struct kcap_versioned_map *map,
                                    const struct kcap_map_version *version,
                                    uint64_t from,
                                    struct kcap_range *ranges,
                                    size_t capacity,
                                    size_t *count);

/*
 Writes what differs between two versions that are held, in ascending order and from the address `from` on, to the `capacity`
 changes at `changes`, and their number to `count`. Fewer than `capacity`: there are no more; else go on from the `end` of the
 last. The time follows the number of changes, not the size of the map.

 Errors: `KCAP_ERR_INVALID` where nobody holds one of them, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_versioned_map_changes(const struct kcap_versioned_map *map,
                                       const struct kcap_map_version *before,
                                       const struct kcap_map_version *after,
                                       uint64_t from,
                                       struct kcap_map_change *changes,
                                       size_t capacity,
                                       size_t *count);

/*
 Makes `copy` say what a version that is held says, and nothing else: for a plan, or a header that is built anew.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the table of `copy`), `KCAP_ERR_INVALID` (`version`: nobody holds it),
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_versioned_map_copy(const struct kcap_versioned_map *map,
                                    const struct kcap_map_version *version,
                                    struct kcap_memory_map *copy,
                                    struct kcap_error *error);

/*
 ====================================================================================================
 Where memory maps come from: what kernels and firmware say of physical memory.

 Every source paints over what the map says already. After an error the map is empty, so that half of a description is not
 taken for the whole.
 ====================================================================================================
 */

/*
 Where the running kernel's own image lies, as far as `/proc/iomem` says. A part that it does not name is empty, from 0
 to 0. Set `size` before the call.
 */
typedef struct kcap_kernel_image {
  /* `sizeof(kcap_kernel_image)`. */
  size_t size;
  /* `Kernel image`, on riscv: all of the following. */
  struct kcap_span image;
  /* `Kernel code`. */
  struct kcap_span code;
  /* `Kernel rodata`. */
  struct kcap_span rodata;
  /* `Kernel data`. */
  struct kcap_span data;
  /* `Kernel bss`. */
  struct kcap_span bss;
} kcap_kernel_image;

/*
 Paints what the `text_len` bytes at `text`, those of `/proc/iomem`, say of memory over `map`, and writes to `kernel`
 where the kernel lies. `kernel` and `error` may be NULL.

 Errors: `KCAP_ERR_ADDRESSES_HIDDEN` where every address reads 0; `KCAP_ERR_CORRUPT` for a line that is none, with its
 offset; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of the map's table that are enough). The map is then empty.
 */
kcap_status kcap_memory_map_read_iomem(struct kcap_memory_map *map,
                                       const char *text,
                                       size_t text_len,
                                       struct kcap_kernel_image *kernel,
                                       struct kcap_error *error);

/* An entry of `/sys/firmware/memmap`, each text as its file has it and NUL-terminated. */
typedef struct kcap_firmware_entry {
  /* `start`: the first address, `0x` and hexadecimal digits. */
  const char *start;
  /* `end`: the last address, which is included. */
  const char *end;
  /* `type`: `System RAM`, `Reserved`, `ACPI Tables` ... */
  const char *kind;
} kcap_firmware_entry;

/*
 Paints the `count` entries at `entries`, in any order, over `map`. Where they overlap, RAM yields.

 Errors: `KCAP_ERR_CORRUPT` where an address is no number or an entry ends before it starts; `KCAP_ERR_BUFFER_TOO_SMALL`
 (`value`: bytes of the map's table that are enough); `KCAP_ERR_NULL`. But for `KCAP_ERR_NULL` the map is then empty.
 */
kcap_status kcap_memory_map_read_firmware(struct kcap_memory_map *map,
                                          const struct kcap_firmware_entry *entries,
                                          size_t count,
                                          struct kcap_error *error);

/* The length of an entry of the E820 map, in bytes. */
#define KCAP_E820_ENTRY_LEN 20

/*
 Paints the E820 map in the `len` bytes at `entries` over `map`: entries of 20 bytes, each `addr` (8 bytes), `size` (8),
 `type` (4), little-endian, as in `boot_params`. Where entries overlap, the higher type holds.

 Errors: `KCAP_ERR_CORRUPT` where the last entry is cut off or one runs past the end of the address space;
 `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of the map's table that are enough). The map is then empty.
 */
kcap_status kcap_memory_map_read_e820(struct kcap_memory_map *map,
                                      const uint8_t *entries,
                                      size_t len,
                                      struct kcap_error *error);

/* The kind of memory that an E820 type stands for; types that Linux does not know are reserved. */
kcap_range_kind kcap_e820_kind(uint32_t e820_type);

/* The E820 type that tells a kernel of this kind of memory; 0 for a number that is no kind. */
uint32_t kcap_e820_type(kcap_range_kind kind);

/*
 Paints the EFI memory map in the `len` bytes at `memmap` over `map`: descriptors `memdesc_size` bytes apart, of version
 `memdesc_version` (1), as `GetMemoryMap()` gives them. What the boot services held is RAM. Where descriptors overlap,
 RAM yields.

 Errors: `KCAP_ERR_UNSUPPORTED` for another version and for descriptors of less than 40 bytes; `KCAP_ERR_CORRUPT` where
 the last descriptor is cut off or one runs past the end of the address space; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes
 of the map's table that are enough). The map is then empty.
 */
kcap_status kcap_memory_map_read_efi(struct kcap_memory_map *map,
                                     const uint8_t *memmap,
                                     size_t len,
                                     uint32_t memdesc_size,
                                     uint32_t memdesc_version,
                                     struct kcap_error *error);

/*
 Paints what the flattened device tree in the `len` bytes at `blob`, which may be longer than the tree, says of memory over
 `map`: memory nodes, reservations, and in a capture kernel's tree what it may use.

 Errors: `KCAP_ERR_CORRUPT` for no tree or a damaged one; `KCAP_ERR_UNSUPPORTED` for a version, cells or usable ranges
 that are not known; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes of the map's table that are enough). The map is then
 empty.
 */
kcap_status kcap_memory_map_read_fdt(struct kcap_memory_map *map,
                                     const uint8_t *blob,
                                     size_t len,
                                     struct kcap_error *error);

/*
 ====================================================================================================
 Memory that comes and goes on pseries: the list of logical memory blocks (LMBs) in a flattened device tree, changed where it
 lies.

 The list is one of two properties of `/ibm,dynamic-reconfiguration-memory`: `ibm,dynamic-memory`, an entry for each LMB, or
 `ibm,dynamic-memory-v2`, an entry for each set of LMBs one behind the other that are alike.
 ====================================================================================================
 */

/* The layout of the list: `KCAP_DRMEM_V1` or `KCAP_DRMEM_V2`. */
typedef uint32_t kcap_drmem_layout;

/* `ibm,dynamic-memory`. */
#define KCAP_DRMEM_V1 1

/* `ibm,dynamic-memory-v2`. */
#define KCAP_DRMEM_V2 2

/* A flag of an LMB: it belongs to this partition, there is memory. */
#define KCAP_LMB_ASSIGNED 0x8

/* A flag of an LMB: its associativity index says nothing. */
#define KCAP_LMB_AI_INVALID 0x40

/* A flag of an LMB: it is not for use, whatever else it says. */
#define KCAP_LMB_RESERVED 0x80

/* A flag of an LMB: it may be taken away again. */
#define KCAP_LMB_HOTREMOVABLE 0x100

/* The associativity index of an LMB that has none: Linux writes it when it removes an LMB. */
#define KCAP_LMB_NO_ASSOCIATIVITY 0xffffffff

/* Some LMBs one behind the other: addresses go up by the size of an LMB and DRC indexes by 1, the rest is the same. */
typedef struct kcap_lmb_set {
  /* The address of the first LMB. */
  uint64_t base_addr;
  /* How many LMBs. */
  uint32_t seq_lmbs;
  /* The DRC index of the first LMB. */
  uint32_t drc_index;
  /* The row in `ibm,associativity-lookup-arrays`. */
  uint32_t aa_index;
  /* `KCAP_LMB_` bits, and others of the firmware's. */
  uint32_t flags;
} kcap_lmb_set;

/* New flags for some LMBs one behind the other. */
typedef struct kcap_lmb_change {
  /* The address of the first LMB. */
  uint64_t base_addr;
  /* How many LMBs; with 0 nothing changes. */
  uint32_t seq_lmbs;
  /* `KCAP_LMB_` bits that are cleared. */
  uint32_t clear;
  /* `KCAP_LMB_` bits that are set, after the others are cleared. */
  uint32_t set;
  /* The new associativity index, where `has_aa_index` says so. */
  uint32_t aa_index;
  /* 1 where `aa_index` holds, 0 where the index stays as it is. */
  uint32_t has_aa_index;
  /* 0. */
  uint32_t reserved;
} kcap_lmb_change;

/* The LMBs of a flattened device tree, and the tree itself. It keeps the buffer of the tree, which nothing else changes meanwhile. */
typedef struct kcap_drmem kcap_drmem;

/* The size of a `kcap_drmem`, in bytes. */
size_t kcap_drmem_size(void);

/* What the address of a `kcap_drmem` must be a multiple of. */
size_t kcap_drmem_align(void);

/*
 Opens the tree at the start of the `buffer_len` bytes at `buffer`, in the `drmem_len` bytes at `drmem`. What is behind the tree in
 the buffer is room to grow. The tree is read once; changes do not read it again. `error` may be NULL.

 Errors: `KCAP_ERR_NOT_FOUND` for a tree without such a list; `KCAP_ERR_CORRUPT` and `KCAP_ERR_UNSUPPORTED` for no tree, a damaged
 one, a list that is not in order or has sets without LMBs; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for
 `drmem`), `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_drmem_init(struct kcap_drmem *drmem,
                            size_t drmem_len,
                            uint8_t *buffer,
                            size_t buffer_len,
                            struct kcap_error *error);

/* The layout of the list; 0 for NULL. */
kcap_drmem_layout kcap_drmem_get_layout(const struct kcap_drmem *drmem);

/* The size of an LMB in bytes; 0 for NULL. */
uint64_t kcap_drmem_lmb_size(const struct kcap_drmem *drmem);

/* How many LMBs there are, of whatever flags; 0 for NULL. */
uint64_t kcap_drmem_lmb_count(const struct kcap_drmem *drmem);

/* How many sets there are, which is how many entries the property has; 0 for NULL. */
size_t kcap_drmem_set_count(const struct kcap_drmem *drmem);

/* The bytes of the tree as it is now, from the start of its buffer; 0 for NULL. */
size_t kcap_drmem_tree_len(const struct kcap_drmem *drmem);

/*
 Writes set number `index`, in ascending order and from 0, to `set`. In v1 a set has one LMB.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_drmem_get_set(const struct kcap_drmem *drmem, size_t index, struct kcap_lmb_set *set);

/*
 Writes the LMB that holds `address` to `lmb`, as a set of one. It takes O(log entries).

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_drmem_find(const struct kcap_drmem *drmem, uint64_t address, struct kcap_lmb_set *lmb);

/*
 Writes the LMB of a DRC index to `lmb`, as a set of one. It takes O(log entries) where DRC indexes go up with the addresses.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_drmem_find_drc(const struct kcap_drmem *drmem,
                                uint32_t drc_index,
                                struct kcap_lmb_set *lmb);

/* The bytes of work that `count` changes need; they are aligned to 8. */
size_t kcap_drmem_apply_work(size_t count);

/*
 Makes the `count` changes at `changes`, in any order: all of them or, after an error, none. Sets are split and joined as needed.
 With k changes and s sets it takes O(k log s) and the sets that change; where the number of sets changes, what is behind the first
 of them moves, at most twice for all changes.

 `work`, of `work_len` bytes, is used during the call only. `error` may be NULL.

 Errors: `KCAP_ERR_NOT_FOUND` (`value`: the address) where no LMB starts; `KCAP_ERR_UNSUPPORTED` (`value`: the address) for an LMB in
 two changes; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the tree's buffer, or, with the field `work`, for `work`); `KCAP_ERR_NULL`,
 `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_drmem_apply(struct kcap_drmem *drmem,
                             const struct kcap_lmb_change *changes,
                             size_t count,
                             void *work,
                             size_t work_len,
                             struct kcap_error *error);

/*
 Gives the list the other layout, and the property its name. The reserved words of v1 are lost.

 Errors: `KCAP_ERR_INVALID` (`layout`), `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the tree's buffer), `KCAP_ERR_NULL`. The tree is
 then as it was.
 */
kcap_status kcap_drmem_convert(struct kcap_drmem *drmem,
                               kcap_drmem_layout layout,
                               struct kcap_error *error);

/*
 Says in `linux,drconf-usable-memory` that of all LMBs exactly the `System RAM` of `usable` may be used by a capture kernel.
 With NULL for `usable` the property is taken out of the tree.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the tree's buffer), `KCAP_ERR_NULL`. The tree is then as it was.
 */
kcap_status kcap_drmem_set_usable(struct kcap_drmem *drmem,
                                  const struct kcap_memory_map *usable,
                                  struct kcap_error *error);

/*
 ====================================================================================================
 Kernel images, recognised and described from their bytes.
 ====================================================================================================
 */

/* What kernel image a file is: one of the `KCAP_IMAGE_` numbers. */
typedef uint32_t kcap_image_kind;

/* An x86 kernel behind its setup code, as installed in `/boot`: `kcap_image_get_bzimage`. */
#define KCAP_IMAGE_BZIMAGE 1

/* `vmlinux`, or another kernel in ELF: `kcap_image_get_elf`. */
#define KCAP_IMAGE_ELF 2

/* An uncompressed arm64 kernel: `kcap_image_get_arm64`. */
#define KCAP_IMAGE_ARM64 3

/* An uncompressed riscv kernel: `kcap_image_get_riscv`. */
#define KCAP_IMAGE_RISCV 4

/* An EFI program that holds a compressed kernel: `kcap_image_get_zboot`. Decompress the payload and identify that. */
#define KCAP_IMAGE_ZBOOT 5

/* A unified kernel image, an EFI program that holds kernel, initrd and command line: `kcap_image_get_uki`. */
#define KCAP_IMAGE_UKI 6

/* What an address or a length is that an image does not state. */
#define KCAP_NOT_STATED 0xffffffffffffffffull

/*
 A kernel image. It keeps the bytes of its file.

 Threads may use one object at once: nothing of it changes after its init.
 */
typedef struct kcap_image kcap_image;

/* The size of a `kcap_image`, in bytes. */
size_t kcap_image_size(void);

/* What the address of a `kcap_image` must be a multiple of. */
size_t kcap_image_align(void);

/*
 Tells what kernel image the `file_len` bytes at `file`, the whole file, are, and checks them to the last byte that a
 loader will use. The object lives in the `image_len` bytes at `image`. `file` is used for as long as `image` is, and so is
 every pointer that a description of the image holds. Nothing is decompressed. `error` may be NULL.

 Errors: `KCAP_ERR_UNSUPPORTED` for no kernel image (`value`: its first 8 bytes) or a variant that cannot be loaded;
 `KCAP_ERR_CORRUPT` where a header contradicts itself or the file; `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `image`).
 */
kcap_status kcap_image_init(struct kcap_image *image,
                            size_t image_len,
                            const uint8_t *file,
                            size_t file_len,
                            struct kcap_error *error);

/* What `image` is: a `KCAP_IMAGE_` number; 0 for NULL. */
kcap_image_kind kcap_image_kind_of(const struct kcap_image *image);

/* The machine that the kernel runs on, as an ELF `e_machine`; 0 for NULL and where the image does not say. */
uint32_t kcap_image_e_machine(const struct kcap_image *image);

/*
 ====================================================================================================
 The x86 kernel image and its setup header.
 ====================================================================================================
 */

/* `xloadflags`: the kernel has the 64-bit entry, 0x200 bytes into its protected-mode part. */
#define KCAP_XLF_KERNEL_64 1

/* `xloadflags`: kernel, `boot_params`, command line and initrd may lie above 4 GiB. */
#define KCAP_XLF_CAN_BE_LOADED_ABOVE_4G 2

/* `xloadflags`: the 32-bit EFI handover entry. */
#define KCAP_XLF_EFI_HANDOVER_32 4

/* `xloadflags`: the 64-bit EFI handover entry. */
#define KCAP_XLF_EFI_HANDOVER_64 8

/* `xloadflags`: the kernel takes over EFI runtime services from the kernel before it. */
#define KCAP_XLF_EFI_KEXEC 16

/* `xloadflags`: the kernel can be entered with 5-level page tables. */
#define KCAP_XLF_FIVE_LEVEL 32

/* `xloadflags`: the kernel uses 5-level page tables where the machine has them. */
#define KCAP_XLF_FIVE_LEVEL_ENABLED 64

/* `xloadflags`: the kernel can encrypt its memory. */
#define KCAP_XLF_MEM_ENCRYPTION 128

/* How the payload of an image is compressed: one of the `KCAP_PAYLOAD_` numbers, 0 where that is not known. */
typedef uint32_t kcap_payload;

/* What a bzImage is, beyond its setup header. Set `size` before the call. Pointers are into the file, NULL for none. */
typedef struct kcap_bzimage {
  /* `sizeof(kcap_bzimage)`. */
  size_t size;
  /* The part that is loaded. A signature that follows it in the file is left out. */
  const uint8_t *protected_mode;
  /* Its length in bytes. */
  size_t protected_mode_len;
  /* The compressed kernel. */
  const uint8_t *payload;
  /* Its length in bytes. */
  size_t payload_len;
  /* The kernel's version, as `uname -rv` and more would say it, without a NUL. Text in no stated encoding. */
  const uint8_t *kernel_version;
  /* Its length in bytes. */
  size_t kernel_version_len;
  /* The length of boot sector and setup code, in bytes: where the protected-mode part starts in the file. */
  uint64_t setup_len;
  /* The memory that the kernel needs from its load address on, in bytes. */
  uint64_t init_size;
  /* The alignment of the load address, in bytes. */
  uint64_t kernel_alignment;
  /* The smallest alignment at which the kernel runs, in bytes. */
  uint64_t min_alignment;
  /* The address at which the kernel runs when it is not relocated. Loaded below it, it moves itself up. */
  uint64_t pref_address;
  /* The longest command line, in bytes without its NUL. */
  uint64_t cmdline_size;
  /* The 64-bit entry, in bytes from the load address; `KCAP_NOT_STATED` where the kernel has none. */
  uint64_t entry_64;
  /* The boot protocol, 0x020f for 2.15. */
  uint32_t version;
  /* Bits of `KCAP_XLF_`. */
  uint32_t xloadflags;
  /* 1 where the kernel may be loaded elsewhere than at `pref_address`, else 0. */
  uint32_t relocatable;
  /* How the payload is compressed: a `KCAP_PAYLOAD_` number, 0 where that is not known. */
  kcap_payload compression;
  /* `kernel_info`: its length in bytes, without the variable-length data behind it; 0 before protocol 2.15. */
  uint32_t kernel_info_size;
  /* `kernel_info`: its length in bytes with these. */
  uint32_t kernel_info_size_total;
  /* `kernel_info`: the highest type of `setup_data` that the kernel knows; bit 31 says it knows `SETUP_INDIRECT`. */
  uint32_t setup_type_max;
  /* 0. */
  uint32_t reserved;
} kcap_bzimage;

/*
 Writes what the bzImage in `image` is to `bzimage`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_get_bzimage(const struct kcap_image *image, struct kcap_bzimage *bzimage);

/*
 `struct setup_header` (`Documentation/arch/x86/boot.rst`), every field a number of the host's byte order; zero past the
 end that the header states. Set `size` before the call.
 */
typedef struct kcap_setup_header {
  /* `sizeof(kcap_setup_header)`. */
  size_t size;
  /* 0x240: for the kernel. */
  uint64_t hardware_subarch_data;
  /* 0x250: the physical address of the first `setup_data`, 0 for none. */
  uint64_t setup_data;
  /* 0x258: the address at which the kernel runs when not relocated. */
  uint64_t pref_address;
  /* 0x1f4: the protected-mode part's length in units of 16 bytes. */
  uint32_t syssize;
  /* 0x208: real mode only. */
  uint32_t realmode_swtch;
  /* 0x214: the 32-bit entry when not relocated. */
  uint32_t code32_start;
  /* 0x218: the initrd's physical address, low half. */
  uint32_t ramdisk_image;
  /* 0x21c: the initrd's length in bytes, low half. */
  uint32_t ramdisk_size;
  /* 0x220: obsolete. */
  uint32_t bootsect_kludge;
  /* 0x228: the command line's physical address, low half. */
  uint32_t cmd_line_ptr;
  /* 0x22c: the highest address of an initrd's last byte. */
  uint32_t initrd_addr_max;
  /* 0x230: the alignment that the kernel wants, in bytes. */
  uint32_t kernel_alignment;
  /* 0x238: the longest command line, in bytes without its NUL. */
  uint32_t cmdline_size;
  /* 0x23c: the kind of machine, 0 for a PC. */
  uint32_t hardware_subarch;
  /* 0x248: where the compressed kernel starts in the protected-mode part, in bytes. */
  uint32_t payload_offset;
  /* 0x24c: the compressed kernel's length in bytes. */
  uint32_t payload_length;
  /* 0x260: the memory that the kernel needs from its load address on, in bytes. */
  uint32_t init_size;
  /* 0x264: the EFI handover entry, in bytes from the start of the protected-mode part. */
  uint32_t handover_offset;
  /* 0x268: where `kernel_info` stands in the protected-mode part, in bytes; 0 for none. */
  uint32_t kernel_info_offset;
  /* 0x1f2: obsolete. */
  uint16_t root_flags;
  /* 0x1f8: obsolete. */
  uint16_t ram_size;
  /* 0x1fa: the video mode to set, 0xffff for the usual one. */
  uint16_t vid_mode;
  /* 0x1fc: obsolete. */
  uint16_t root_dev;
  /* 0x1fe: 0xaa55. */
  uint16_t boot_flag;
  /* 0x206: the protocol, 0x020f for 2.15. */
  uint16_t version;
  /* 0x20c: obsolete. */
  uint16_t start_sys_seg;
  /* 0x20e: where the version text stands, in bytes from 0x200 of the image; 0 for none. */
  uint16_t kernel_version;
  /* 0x212: real mode only. */
  uint16_t setup_move_size;
  /* 0x224: real mode only. */
  uint16_t heap_end_ptr;
  /* 0x236: bits of `KCAP_XLF_`. */
  uint16_t xloadflags;
  /* 0x200: a short jump over the header. */
  uint8_t jump[2];
  /* 0x202: `HdrS`. */
  uint8_t header[4];
  /* 0x1f1: sectors of 512 bytes of setup code, without the boot sector; 0 means 4. */
  uint8_t setup_sects;
  /* 0x210: the loader's number. */
  uint8_t type_of_loader;
  /* 0x211: bit 0 says that the protected-mode part is loaded at 1 MiB and above. */
  uint8_t loadflags;
  /* 0x226: for the kernel. */
  uint8_t ext_loader_ver;
  /* 0x227: for the kernel. */
  uint8_t ext_loader_type;
  /* 0x234: not 0 where the kernel may be loaded at any aligned address. */
  uint8_t relocatable_kernel;
  /* 0x235: the smallest alignment at which the kernel runs, as a power of two. */
  uint8_t min_alignment;
  /* 0. */
  uint8_t reserved[3];
} kcap_setup_header;

/*
 Writes the setup header of the bzImage in `image` to `header`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_setup_header(const struct kcap_image *image, struct kcap_setup_header *header);

/*
 ====================================================================================================
 The compression of a payload. Decompression is the caller's.
 ====================================================================================================
 */

/* gzip: `1f 8b`. */
#define KCAP_PAYLOAD_GZIP 1

/* bzip2: `BZh`. */
#define KCAP_PAYLOAD_BZIP2 2

/* lzma alone: `5d 00 00`. */
#define KCAP_PAYLOAD_LZMA 3

/* xz: `fd 37 7a 58 5a 00`. */
#define KCAP_PAYLOAD_XZ 4

/* lzop: `89 4c 5a 4f`. */
#define KCAP_PAYLOAD_LZO 5

/* LZ4, the legacy frame that the kernel build makes: `02 21 4c 18`. */
#define KCAP_PAYLOAD_LZ4 6

/* Zstandard: `28 b5 2f fd`. */
#define KCAP_PAYLOAD_ZSTD 7

/* What the first of the `len` bytes at `data` say of their compression: a `KCAP_PAYLOAD_` number, 0 for none that is known. */
kcap_payload kcap_payload_detect(const uint8_t *data,
                                 size_t len);

/*
 The compression of the name that EFI zboot images use (`comp_type`), one of its names where it has several; 0 for none
 that is known.
 */
kcap_payload kcap_payload_of_name(const char *name);

/* The name of a compression: a string of the library's own, "unknown" for a number that is none. */
const char *kcap_payload_str(kcap_payload payload);

/*
 ====================================================================================================
 Kernels in ELF.
 ====================================================================================================
 */

/* What a kernel in ELF is. Set `size` before the call. */
typedef struct kcap_elf_kernel {
  /* `sizeof(kcap_elf_kernel)`. */
  size_t size;
  /* The physical addresses from the first to the last byte of all segments. A kernel that is moved moves as a whole. */
  struct kcap_span memory;
  /* The physical address of the entry. */
  uint64_t entry;
  /* `e_entry` as it stands in the file. */
  uint64_t e_entry;
  /* The PVH entry, 32-bit protected mode: `XEN_ELFNOTE_PHYS32_ENTRY`; `KCAP_NOT_STATED` for none. */
  uint64_t pvh_entry;
  /* `XEN_ELFNOTE_PHYS32_RELOC`, the lowest address that a kernel with a PVH entry may be moved to. */
  uint64_t pvh_reloc_min;
  /* The highest address of its last byte. */
  uint64_t pvh_reloc_max;
  /* The alignment of its start in bytes; 0 says that the kernel may not be moved. */
  uint32_t pvh_reloc_align;
  /* The byte order: 1 for big-endian, 0 for little-endian. */
  uint32_t big_endian;
  /* The bits of an address in the file: 32 or 64. */
  uint32_t bits;
  /* 1 for `ET_DYN`, 0 for `ET_EXEC`. */
  uint32_t position_independent;
  /* 1 where a note says that this is Linux, which notes do since 4.20; else 0. */
  uint32_t is_linux;
  /* 0. */
  uint32_t reserved;
} kcap_elf_kernel;

/*
 Writes what the ELF kernel in `image` is to `kernel`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_get_elf(const struct kcap_image *image, struct kcap_elf_kernel *kernel);

/* A `PT_LOAD` of a kernel in ELF that has a length in memory. */
typedef struct kcap_elf_load {
  /* `p_paddr`. */
  uint64_t paddr;
  /* `p_vaddr`. */
  uint64_t vaddr;
  /* `p_memsz`: the length in memory, in bytes. Past `data` it is zero. */
  uint64_t memsz;
  /* `p_align` in bytes. */
  uint64_t align;
  /* The bytes of the file. */
  const uint8_t *data;
  /* `p_filesz`: their number. */
  size_t data_len;
} kcap_elf_load;

/*
 Writes segment number `index` of the ELF kernel in `image`, by physical address upwards and from 0, to `load`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
 */
kcap_status kcap_image_elf_load(const struct kcap_image *image,
                                size_t index,
                                struct kcap_elf_load *load);

/*
 ====================================================================================================
 The uncompressed kernels of arm64 and riscv.
 ====================================================================================================
 */

/* What an arm64 `Image` is. Set `size` before the call. The pointer is into the file. */
typedef struct kcap_arm64_image {
  /* `sizeof(kcap_arm64_image)`. */
  size_t size;
  /* The bytes to load. The entry is at the first. */
  const uint8_t *kernel;
  /* Their number. */
  size_t kernel_len;
  /* Where the kernel is loaded above an address that is a multiple of 2 MiB, in bytes. */
  uint64_t text_offset;
  /* The memory that the kernel needs from its load address on, in bytes. */
  uint64_t image_size;
  /* The length of the file, in bytes. */
  uint64_t file_len;
  /* 1 for a big-endian kernel, else 0. */
  uint32_t big_endian;
  /* The page size that the kernel was built for, in bytes: 4096, 16384 or 65536; 0 where the image does not say. */
  uint32_t page_size;
  /* 1 where the kernel may be loaded anywhere in memory; 0: as near to the start of memory as possible. */
  uint32_t anywhere;
  /* 0. */
  uint32_t reserved;
} kcap_arm64_image;

/*
 Writes what the arm64 kernel in `image` is to `arm64`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_get_arm64(const struct kcap_image *image, struct kcap_arm64_image *arm64);

/* What a riscv `Image` is. Set `size` before the call. The pointer is into the file. */
typedef struct kcap_riscv_image {
  /* `sizeof(kcap_riscv_image)`. */
  size_t size;
  /* The bytes to load. The entry is at the first. */
  const uint8_t *kernel;
  /* Their number. */
  size_t kernel_len;
  /* The alignment of the load address, in bytes. */
  uint64_t text_offset;
  /* The memory that the kernel needs from its load address on, in bytes. */
  uint64_t image_size;
  /* The header's version: major in the upper 16 bits, minor in the lower. */
  uint32_t version;
  /* 0. */
  uint32_t reserved;
} kcap_riscv_image;

/*
 Writes what the riscv kernel in `image` is to `riscv`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_get_riscv(const struct kcap_image *image, struct kcap_riscv_image *riscv);

/*
 ====================================================================================================
 The unified kernel image and its sections.
 ====================================================================================================
 */

/*
 What a unified kernel image holds. Set `size` before the call. Pointers are into the file, NULL where there is no such
 section. In an image with several profiles, sections of the first go before those that all share.
 */
typedef struct kcap_uki {
  /* `sizeof(kcap_uki)`. */
  size_t size;
  /* The kernel, an image of its own: `.linux`. */
  const uint8_t *linux_image;
  /* Its length in bytes. */
  size_t linux_len;
  /* The initrd: `.initrd`. */
  const uint8_t *initrd;
  /* Its length in bytes. */
  size_t initrd_len;
  /* The CPU microcode, an initrd that goes before the other: `.ucode`. */
  const uint8_t *ucode;
  /* Its length in bytes. */
  size_t ucode_len;
  /* The command line, without a NUL: `.cmdline`. */
  const uint8_t *cmdline;
  /* Its length in bytes. */
  size_t cmdline_len;
} kcap_uki;

/*
 Writes what the unified kernel image in `image` holds to `uki`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_get_uki(const struct kcap_image *image, struct kcap_uki *uki);

/*
 Makes an image of the kernel in the unified kernel image `image`, in the `kernel_len` bytes at `kernel`. It keeps the
 same file. `error` may be NULL.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `kernel`).
 */
kcap_status kcap_image_uki_kernel(const struct kcap_image *image,
                                  struct kcap_image *kernel,
                                  size_t kernel_len,
                                  struct kcap_error *error);

/* A section of an EFI program. */
typedef struct kcap_pe_section {
  /* The section's bytes, without the padding to the file alignment; NULL for none. */
  const uint8_t *data;
  /* Their number. */
  size_t data_len;
  /* Where they start, in bytes from the start of the file. */
  uint64_t offset;
  /* `VirtualSize`: the section's length in memory, in bytes. Past `data` it is zero. */
  uint32_t virtual_size;
  /* The section's name, NUL-terminated. */
  uint8_t name[12];
} kcap_pe_section;

/*
 Writes section number `index` of the unified kernel image in `image`, in the order of their headers and from 0, to
 `section`. `.profile` starts a profile.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
 */
kcap_status kcap_image_uki_section(const struct kcap_image *image,
                                   size_t index,
                                   struct kcap_pe_section *section);

/*
 Writes address and length of the bytes of the section called `name`, with its dot, to `data` and `len`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
 */
kcap_status kcap_image_uki_find(const struct kcap_image *image,
                                const char *name,
                                const uint8_t **data,
                                size_t *len);

/*
 ====================================================================================================
 The EFI zboot image.
 ====================================================================================================
 */

/* What an EFI zboot image holds. Set `size` before the call. The pointer is into the file. */
typedef struct kcap_zboot {
  /* `sizeof(kcap_zboot)`. */
  size_t size;
  /* The compressed kernel. Decompressed it is an image of its own. */
  const uint8_t *payload;
  /* Its length in bytes. */
  size_t payload_len;
  /* Where the payload starts, in bytes from the start of the file. */
  uint64_t payload_offset;
  /* The length of the decompressed kernel as the image states it, in bytes. */
  uint32_t uncompressed_len;
  /* How the payload is compressed: a `KCAP_PAYLOAD_` number. */
  kcap_payload compression;
} kcap_zboot;

/*
 Writes what the zboot image in `image` holds to `zboot`.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_image_get_zboot(const struct kcap_image *image, struct kcap_zboot *zboot);

/*
 ====================================================================================================
 The command line of the kernel that boots next, built in the caller's buffer.
 ====================================================================================================
 */

/*
 A command line: the user's text and the parameters that a loader adds. It keeps its buffer.

 Nothing is ever cut off: what does not fit is refused, and the command line is then as it was. Parameters are added at the
 end, but before a ` -- `: what stands behind it the kernel hands to init unread.
 */
typedef struct kcap_command_line kcap_command_line;

/* The size of a `kcap_command_line`, in bytes. */
size_t kcap_command_line_size(void);

/* What the address of a `kcap_command_line` must be a multiple of. */
size_t kcap_command_line_align(void);

/*
 Starts a command line with the user's `text`, in the `line_len` bytes at `line`. White space at the ends of `text` is
 left out, so `/proc/cmdline` may be given as it is read.

 The `buf_len` bytes at `buf` take the command line, and are used for as long as `line` is. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `line`, or for `buf`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_command_line_init(struct kcap_command_line *line,
                                   size_t line_len,
                                   char *buf,
                                   size_t buf_len,
                                   const char *text,
                                   struct kcap_error *error);

/*
 Adds `name=value`, both in UTF-8.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for the buffer), `KCAP_ERR_INVALID` for what is not UTF-8,
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_command_line_add(struct kcap_command_line *line,
                                  const char *name,
                                  const char *value,
                                  struct kcap_error *error);

/*
 Adds a parameter as it stands in `text`, or several with spaces between them, in UTF-8.

 Errors: as for `kcap_command_line_add`.
 */
kcap_status kcap_command_line_add_text(struct kcap_command_line *line,
                                       const char *text,
                                       struct kcap_error *error);

/*
 The command line so far, without a NUL: its first byte in the buffer, and the number of bytes in `len`. NULL where
 one of the two is NULL.
 */
const char *kcap_command_line_bytes(const struct kcap_command_line *line,
                                    size_t *len);

/* Whether the kernel reads a parameter of this name, in UTF-8, with or without a value: 1 or 0 (0 for NULL too). */
int32_t kcap_command_line_has(const struct kcap_command_line *line,
                              const char *name);

/*
 Refuses a command line that a kernel would cut off: `cmdline_size` bytes at most, its NUL not counted.

 Errors: `KCAP_ERR_COMMAND_LINE_TOO_LONG` (`value`: its length), `KCAP_ERR_NULL`.
 */
kcap_status kcap_command_line_check(const struct kcap_command_line *line,
                                    uint64_t cmdline_size,
                                    struct kcap_error *error);

/*
 ====================================================================================================
 What an x86 kernel is told: `boot_params`, the command line and the `setup_data` chain, in one segment.

 `boot_params` itself is 4096 bytes of the caller's, laid out as the kernel's own `struct boot_params`
 (`asm/bootparam.h`), every number little-endian.
 ====================================================================================================
 */

/* The length of `boot_params`, in bytes. */
#define KCAP_BOOT_PARAMS_LEN 4096

/* `type` of an item of `setup_data` with more entries of the memory map. */
#define KCAP_SETUP_E820_EXT 1

/* `type` of an item of `setup_data` with a flattened device tree. */
#define KCAP_SETUP_DTB 2

/* `type` of an item of `setup_data` with EFI tables' addresses. */
#define KCAP_SETUP_EFI 4

/* `type` of an item of `setup_data` with random bytes, which the kernel erases once it has read them. Linux 6.0. */
#define KCAP_SETUP_RNG_SEED 9

/* The most items of `setup_data` that may be given. */
#define KCAP_SETUP_DATA_MAX 16

/*
 Writes to the 4096 bytes at `params` what a loader starts from for the bzImage in `image`: zeros, the image's setup header,
 `type_of_loader` 0xd0 (kexec), `loadflags` 0. For an x86 `vmlinux`, which brings no setup header: one of protocol 2.15
 whose kernel may lie above 4 GiB and takes a command line of 2047 bytes.

 Errors: `KCAP_ERR_STATE` for an image of another kind, `KCAP_ERR_NULL`.
 */
kcap_status kcap_boot_params_of_image(const struct kcap_image *image,
                                      uint8_t *params);

/*
 Takes over in the 4096 bytes at `params` what only the setup code could find out, from those of the running kernel at
 `running`: screen, monitor, the BIOS's disks, the kind of machine, Secure Boot, ACPI's RSDP. EFI is not:
 `kcap_efi_runtime`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_boot_params_take_over(uint8_t *params,
                                       const uint8_t *running);

/* What `boot_params` say of other places in memory. Set `size` before the call. */
typedef struct kcap_boot_places {
  /* `sizeof(kcap_boot_places)`. */
  size_t size;
  /* The initrd's physical address. */
  uint64_t initrd;
  /* Its length in bytes; 0 for none. */
  uint64_t initrd_len;
  /* The command line's physical address; 0 for none. */
  uint64_t command_line;
  /* The EFI system table's physical address; 0 for none. */
  uint64_t efi_systab;
  /* The EFI memory map's physical address; 0 for none. */
  uint64_t efi_memmap;
  /* Its length in bytes. */
  uint32_t efi_memmap_size;
  /* Bytes from one EFI memory descriptor to the next. */
  uint32_t efi_memdesc_size;
  /* The version of an EFI memory descriptor: 1. */
  uint32_t efi_memdesc_version;
  /* `EL64` or `EL32`, and zeros where EFI did not start the kernel. */
  uint8_t efi_loader_signature[4];
  /* The entries of the memory map that are in `boot_params`: `kcap_boot_params_get_e820`. */
  uint32_t e820_count;
  /* 0. */
  uint32_t reserved;
} kcap_boot_places;

/*
 Writes what the 4096 bytes at `params` say of other places in memory to `places`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_boot_params_get_places(const uint8_t *params, struct kcap_boot_places *places);

/*
 Writes entry number `index`, from 0, of the memory map in the 4096 bytes at `params` to `range`. Its `kind` is a
 `KCAP_RANGE_` number.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one that is here, `KCAP_ERR_NULL`.
 */
kcap_status kcap_boot_params_get_e820(const uint8_t *params,
                                      size_t index,
                                      struct kcap_range *range);

/*
 Says in the 4096 bytes at `params` where the initrd is: `len` bytes from `address`. Length 0 is none.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_boot_params_set_initrd(uint8_t *params, uint64_t address, uint64_t len);

/*
 Says in the 4096 bytes at `params` where the command line is.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_boot_params_set_command_line(uint8_t *params, uint64_t address);

/*
 Says in the 4096 bytes at `params` where the EFI system table and the EFI memory map are.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_boot_params_set_efi(uint8_t *params, uint64_t systab, uint64_t memmap);

/* An item of the `setup_data` chain. */
typedef struct kcap_setup_data {
  /* The data. */
  const uint8_t *data;
  /* Its length in bytes, at most 4 GiB. */
  size_t len;
  /* Its type: a `KCAP_SETUP_` number. */
  uint32_t kind;
  /* 0. */
  uint32_t reserved;
} kcap_setup_data;

/* The length of an EFI memory descriptor of version 1, in bytes. */
#define KCAP_EFI_DESCRIPTOR_LEN 40

/*
 EFI's runtime services as the next kernel takes them over: firmware may be moved to virtual addresses once only, so the next
 kernel must use the same ones. Set `size`.
 */
typedef struct kcap_efi_runtime {
  /* `sizeof(kcap_efi_runtime)`. */
  size_t size;
  /*
   `/sys/firmware/efi/runtime-map` as EFI's own `efi_memory_desc_t` of 40 bytes each, little-endian: type (4 bytes), 4 of
   padding, physical address (8), virtual address (8), number of 4-KiB pages (8), attributes (8). Any alignment.
   */
  const uint8_t *runtime_map;
  /* The number of descriptors, not 0. */
  size_t runtime_map_count;
  /* The system table: `efi_systab` of the running kernel's `boot_params`. */
  uint64_t systab;
  /* `/sys/firmware/efi/fw_vendor`. */
  uint64_t fw_vendor;
  /* `/sys/firmware/efi/runtime`; newer kernels do not read it. */
  uint64_t runtime;
  /* `/sys/firmware/efi/config_table`. */
  uint64_t config_table;
  /* `SMBIOS=` in `/sys/firmware/efi/systab`, 0 where it is not there. */
  uint64_t smbios;
  /* `EL64` or `EL32`: `efi_loader_signature` of the running kernel's `boot_params`. */
  uint8_t loader_signature[4];
  /* 0. */
  uint32_t reserved;
} kcap_efi_runtime;

/* A range of the memory map that a kernel is told of. */
typedef struct kcap_e820_entry {
  /* The first byte's address. */
  uint64_t start;
  /* The address behind the last byte. */
  uint64_t end;
  /*
   1 RAM, 2 reserved, 3 ACPI tables, 4 ACPI NVS, 5 unusable, 7 persistent memory, 12 legacy persistent memory
   (`kcap_e820_type`).
   */
  uint32_t kind;
  /* 0. */
  uint32_t reserved;
} kcap_e820_entry;

/*
 All that an x86 kernel is told, as one segment. Set `size`. Everything is read during each call, and nothing is kept.

 The segment is `boot_params`, then the command line and its NUL, the EFI runtime map, and `setup_data`: more of the memory
 map, EFI, the caller's, each aligned to 16 bytes.
 */
typedef struct kcap_boot_segment {
  /* `sizeof(kcap_boot_segment)`. */
  size_t size;
  /*
   4096 bytes: the setup header, and what was taken over from the running kernel. Command line, initrd, memory map, EFI and
   `setup_data` in it are replaced.
   */
  const uint8_t *boot_params;
  /* The command line, everything appended; NULL for none. */
  const char *command_line;
  /* The memory map, in any order. */
  const struct kcap_e820_entry *e820;
  /* The number of ranges there. */
  size_t e820_count;
  /* EFI's runtime services, or NULL. */
  const struct kcap_efi_runtime *efi;
  /* Further items of the chain. */
  const struct kcap_setup_data *setup_data;
  /* Their number, at most `KCAP_SETUP_DATA_MAX`. */
  size_t setup_data_count;
  /* The initrd's physical address. */
  uint64_t initrd;
  /* Its length in bytes; 0 for none. */
  uint64_t initrd_len;
} kcap_boot_segment;

/*
 Writes the segment's length in bytes to `len`. It does not depend on where anything is loaded.

 Errors: `KCAP_ERR_UNSUPPORTED` where it does not fit in memory, `KCAP_ERR_INVALID` (`setup_data_count`), `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_boot_segment_len(const struct kcap_boot_segment *segment,
                                  size_t *len,
                                  struct kcap_error *error);

/*
 Writes the segment to the front of the `out_len` bytes at `out`, for the physical address `at`, which becomes `rsi` at the
 kernel's entry, and its length in bytes to `len`, which may be NULL. On an error of the segment itself the bytes at `out`
 are unspecified.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `out`); `KCAP_ERR_COMMAND_LINE_TOO_LONG`; `KCAP_ERR_CORRUPT` for an
 empty range in the memory map (`offset`: its number); `KCAP_ERR_UNSUPPORTED` where the kernel takes nothing above 4 GiB or
 no EFI and is given some, for a memory map of fewer than 2 entries, which Linux ignores, for EFI without a runtime map, and at
 the end of the address space; `KCAP_ERR_INVALID` (`setup_data_count`).
 */
kcap_status kcap_boot_segment_encode(const struct kcap_boot_segment *segment,
                                     uint64_t at,
                                     uint8_t *out,
                                     size_t out_len,
                                     size_t *len,
                                     struct kcap_error *error);

/*
 ====================================================================================================
 What runs between two kernels: the object, its parameter block, and its check.
 ====================================================================================================
 */

/*
 The purgatory for x86_64: its first byte, and the number of bytes in `len` (NULL where `len` is). A relocatable ELF object
 that runs at any address, for `kcap_object_init`: bytes of the library's own.
 */
const uint8_t *kcap_purgatory_x86_64(size_t *len);

/* The global symbol of the parameter block in our object: a string of the library's own. */
const char *kcap_purgatory_parameters_symbol(void);

/* The global symbol at which our object is entered: a string of the library's own. */
const char *kcap_purgatory_entry_symbol(void);

/* The length of the parameter block, in bytes: the size of its symbol. */
size_t kcap_purgatory_parameters_len(void);

/* Physical memory that the digest covers. A length of 0 says that the entry is unused. */
typedef struct kcap_purgatory_region {
  /* The physical address of the first byte; never 0 in a used entry. */
  uint64_t start;
  /* The length in bytes. */
  uint64_t len;
} kcap_purgatory_region;

/* The most regions that a digest covers. */
#define KCAP_PURGATORY_REGIONS 16

/* What the loader tells our object. Set `size`. */
typedef struct kcap_purgatory_parameters {
  /* `sizeof(kcap_purgatory_parameters)`. */
  size_t size;
  /* The physical address of the kernel's 64-bit entry: the load address of a bzImage's protected-mode part plus 0x200. */
  uint64_t entry;
  /* The physical address of the `boot_params` page, which the kernel gets in rsi. */
  uint64_t boot_params;
  /* The rsp that the kernel starts with: 0 for the end of the object's own stack. */
  uint64_t stack;
  /* SHA-256 over the bytes of all `regions`, in their order. */
  uint8_t digest[32];
  /* What the digest covers. */
  struct kcap_purgatory_region regions[KCAP_PURGATORY_REGIONS];
  /* Memory that the kernel uses and that must not be lost: it is copied after the check. A length of 0 says none. */
  struct kcap_purgatory_region backup_source;
  /* The physical address that it is copied to. */
  uint64_t backup_copy;
  /* What happens on another digest: a `KCAP_ON_MISMATCH_` number. */
  uint32_t on_mismatch;
  /* Not 0: enter the kernel without reading a region. */
  uint32_t skip_check;
  /* Not 0: print to the VGA text screen. */
  uint32_t vga;
  /* The first I/O port of the 8250 to print to (0x3f8 for ttyS0); 0 for none. */
  uint32_t serial_port;
  /* The rate to set, in bits per second; 0 leaves the UART as it is. */
  uint32_t serial_baud;
  /* 0. */
  uint32_t reserved;
} kcap_purgatory_parameters;

/*
 Writes the parameter block to the front of the `len` bytes at `block`, `kcap_purgatory_parameters_len()` of them: for
 `kcap_object_set_symbol`.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `block`), `KCAP_ERR_INVALID` (`on_mismatch`, `serial_port`),
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_purgatory_parameters_encode(const struct kcap_purgatory_parameters *parameters,
                                             uint8_t *block,
                                             size_t len,
                                             struct kcap_error *error);

/*
 Writes what the parameter block in the `len` bytes at `block` says to `parameters`.

 Errors: `KCAP_ERR_CORRUPT` for bytes that are too few or no block of this version, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_purgatory_parameters_read(const uint8_t *block,
                                           size_t len,
                                           struct kcap_purgatory_parameters *parameters,
                                           struct kcap_error *error);

/* The regions have the recorded digest. */
#define KCAP_VERDICT_MATCH 0

/* The parameters ask for no check. */
#define KCAP_VERDICT_SKIPPED 1

/* The regions have another digest. */
#define KCAP_VERDICT_MISMATCH 2

/* A region has bytes that cannot be read: it starts at 0, or ends past the address space, or memory lacks it. */
#define KCAP_VERDICT_UNREADABLE 3

/*
 Checks the regions of `parameters` as the object does before it enters the kernel: what it found goes to `verdict`, a
 `KCAP_VERDICT_` number, and on `KCAP_VERDICT_MISMATCH` the digest of what the regions hold now goes to the 32 bytes at
 `found`, which may be NULL.

 Errors: `KCAP_ERR_INVALID` (`on_mismatch`, `serial_port`), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_purgatory_verify(const struct kcap_purgatory_parameters *parameters,
                                  const struct kcap_physical_bytes *memory,
                                  uint32_t *verdict,
                                  uint8_t *found,
                                  struct kcap_error *error);

/*
 Writes SHA-256 over the bytes of all regions of `parameters`, in their order, to the 32 bytes at `digest`: what a loader
 records in the parameters.

 Errors: `KCAP_ERR_HOLE` where `memory` lacks a region, `KCAP_ERR_INVALID` (`on_mismatch`, `serial_port`),
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_purgatory_digest(const struct kcap_purgatory_parameters *parameters,
                                  const struct kcap_physical_bytes *memory,
                                  uint8_t *digest,
                                  struct kcap_error *error);

/*
 ====================================================================================================
 Relocatable ELF objects (`ET_REL`), linked to the address at which they will run.
 ====================================================================================================
 */

/*
 A relocatable object of x86_64, i386, aarch64, riscv64, ppc64le or s390x. It keeps its bytes.

 Threads may use one object at once: nothing of it changes after its init.
 */
typedef struct kcap_object kcap_object;

/* The size of a `kcap_object`, in bytes. */
size_t kcap_object_size(void);

/* What the address of a `kcap_object` must be a multiple of. */
size_t kcap_object_align(void);

/*
 Reads the object in the `bytes_len` bytes at `bytes`, which are used for as long as `object` is, and lays its sections
 out. It lives in the `object_len` bytes at `object`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `object`); `KCAP_ERR_CORRUPT` for no ELF file and one that
 contradicts itself; `KCAP_ERR_UNSUPPORTED` for another type than `ET_REL`, another machine, sections that cannot be loaded as
 they are, and more than 256 of them.
 */
kcap_status kcap_object_init(struct kcap_object *object,
                             size_t object_len,
                             const uint8_t *bytes,
                             size_t bytes_len,
                             struct kcap_error *error);

/* `e_machine` of `object`, a `KCAP_EM_` number; 0 for NULL. */
uint32_t kcap_object_machine(const struct kcap_object *object);

/* What an object needs of the memory that it runs in. Set `size` before the call. */
typedef struct kcap_object_layout {
  /* `sizeof(kcap_object_layout)`. */
  size_t size;
  /* The bytes of the image that come from the object: those that `kcap_object_link` fills. */
  uint64_t file_len;
  /* The bytes of memory that the image takes, the zeros of `.bss` included. */
  uint64_t mem_len;
  /* The alignment of the image in bytes, a power of two. */
  uint64_t align;
  /* Where the image is entered, in bytes from its start: the symbol `purgatory_start`, or else `e_entry`. */
  uint64_t entry;
} kcap_object_layout;

/*
 Writes size, alignment and entry of the image of `object` to `layout`.

 Errors: `KCAP_ERR_CORRUPT` if the object has no entry, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_object_get_layout(const struct kcap_object *object,
                                   struct kcap_object_layout *layout,
                                   struct kcap_error *error);

/*
 Links `object` to the physical address `at`: fills the first `file_len` of the `image_len` bytes at `image`, gaps zeroed and
 relocations applied. Bytes past them stay as they are. On an error the bytes of the image are unspecified.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` for `image`; `KCAP_ERR_UNSUPPORTED` where `at` has not the object's alignment or the
 image would pass the end of the address space, for an unknown relocation type and a common symbol;
 `KCAP_ERR_UNDEFINED_SYMBOL`; `KCAP_ERR_RELOCATION_OVERFLOW`; `KCAP_ERR_CORRUPT`.
 */
kcap_status kcap_object_link(const struct kcap_object *object,
                             uint64_t at,
                             uint8_t *image,
                             size_t image_len,
                             struct kcap_error *error);

/* Where a symbol stands in the image. */
typedef struct kcap_symbol {
  /* Bytes from the start of the image; for an absolute symbol its value. */
  uint64_t offset;
  /* `st_size`, in bytes. */
  uint64_t len;
  /* 1 where its bytes are part of the image, 0 where they are not (`.bss`). */
  uint32_t has_bytes;
  /* 0. */
  uint32_t reserved;
} kcap_symbol;

/*
 Writes where the global symbol `name` stands to `symbol`.

 Errors: `KCAP_ERR_NO_SUCH_SYMBOL`; `KCAP_ERR_CORRUPT` if its section is not loaded or its bytes pass the section's end;
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_object_get_symbol(const struct kcap_object *object,
                                   const char *name,
                                   struct kcap_symbol *symbol,
                                   struct kcap_error *error);

/*
 Writes the `len` bytes at `bytes` over the global symbol `name` in the linked image, `image_len` bytes at `image`.

 Errors: those of `kcap_object_get_symbol`; `KCAP_ERR_SYMBOL_SIZE` (`value`: its size) unless `len` is the symbol's;
 `KCAP_ERR_SYMBOL_WITHOUT_BYTES` for one in `.bss`; `KCAP_ERR_BUFFER_TOO_SMALL` for `image`.
 */
kcap_status kcap_object_set_symbol(const struct kcap_object *object,
                                   uint8_t *image,
                                   size_t image_len,
                                   const char *name,
                                   const uint8_t *bytes,
                                   size_t len,
                                   struct kcap_error *error);

/*
 ====================================================================================================
 What a segment of a loaded kernel is, and whether its bytes may change after the load.
 ====================================================================================================
 */

/* The most segments that `kexec_load` takes. */
#define KCAP_SEGMENT_MAX 16

/* What a segment holds: one of the `KCAP_SEGMENT_` numbers. */
typedef uint32_t kcap_segment_kind;

/* The protected-mode part of the kernel image, or one `PT_LOAD` of a `vmlinux`. Its bytes stay: they can be in the digest. */
#define KCAP_SEGMENT_KERNEL 1

/* The initial RAM disk. Its bytes stay. */
#define KCAP_SEGMENT_INITRD 2

/* `boot_params`, the command line and all `setup_data`. Its bytes stay. */
#define KCAP_SEGMENT_BOOT_PARAMS 3

/* The ELF core header, where the first kernel does not keep it up to date. Its bytes stay. */
#define KCAP_SEGMENT_ELFCOREHDR 4

/* CPU microcode: an initrd that stands right before the other. Its bytes stay. */
#define KCAP_SEGMENT_MICROCODE 5

/* The code that checks the digest: it holds the digest and its own stack, so its bytes change. */
#define KCAP_SEGMENT_PURGATORY 0x100

/* The ELF core header, where the first kernel rewrites it as CPUs and memory come and go: its bytes change. */
#define KCAP_SEGMENT_ELFCOREHDR_KEPT 0x101

/* Room for low memory, which purgatory copies before the capture kernel uses it: its bytes change. */
#define KCAP_SEGMENT_BACKUP 0x102

/* The device tree, which the first kernel rewrites as memory comes and goes: its bytes change. */
#define KCAP_SEGMENT_DEVICE_TREE 0x103

/* What a segment holds, in the field's words: a string of the library's own, "unknown" for a number that is no kind. */
const char *kcap_segment_kind_str(kcap_segment_kind kind);

/* The place of a segment, as `struct kexec_segment` gives it to the kernel. */
typedef struct kcap_extent {
  /* The first byte's physical address. */
  uint64_t mem;
  /* The bytes of memory taken; those after the first `bufsz` are zero. */
  uint64_t memsz;
  /* The bytes that are loaded. */
  uint64_t bufsz;
} kcap_extent;

/*
 ====================================================================================================
 SHA-256, and the digest by which purgatory knows that what was loaded is still there.
 ====================================================================================================
 */

/* The length of a SHA-256, in bytes. */
#define KCAP_SHA256_LEN 32

/* A SHA-256 in progress. It keeps nothing. */
typedef struct kcap_sha256 kcap_sha256;

/* The size of a `kcap_sha256`, in bytes. */
size_t kcap_sha256_size(void);

/* What the address of a `kcap_sha256` must be a multiple of. */
size_t kcap_sha256_align(void);

/*
 Begins the hash of no bytes yet, in the `hash_len` bytes at `hash`.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_sha256_init(struct kcap_sha256 *hash, size_t hash_len);

/*
 Takes the `len` bytes at `bytes`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_sha256_update(struct kcap_sha256 *hash, const uint8_t *bytes, size_t len);

/*
 Writes the digest of all bytes taken so far to the 32 bytes at `digest`. More bytes may be taken afterwards.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_sha256_finish(const struct kcap_sha256 *hash, uint8_t *digest);

/* Bytes that must not change between the load and the crash. */
typedef struct kcap_region {
  /* The physical address of the first byte. */
  uint64_t start;
  /* The bytes, as they are loaded; NULL for none. */
  const uint8_t *bytes;
  /* Their number. */
  size_t len;
  /* What they are: a `KCAP_SEGMENT_` number below `KCAP_SEGMENT_PURGATORY`, for bytes that stay. */
  kcap_segment_kind kind;
  /* 0. */
  uint32_t reserved;
} kcap_region;

/* The regions of a load, in the order of their addresses. It keeps the bytes of every region. */
typedef struct kcap_regions kcap_regions;

/* The size of a `kcap_regions`, in bytes. */
size_t kcap_regions_size(void);

/* What the address of a `kcap_regions` must be a multiple of. */
size_t kcap_regions_align(void);

/*
 Makes a list of no region, in the `regions_len` bytes at `regions`.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_regions_init(struct kcap_regions *regions, size_t regions_len);

/*
 Adds `region` at the place of its address; a region without bytes is left out. Its bytes are used for as long as `regions` is.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` where there are `KCAP_SEGMENT_MAX` already (`value`: the number there would be),
 `KCAP_ERR_INVALID` (`kind`) for a segment whose bytes change, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_regions_add(struct kcap_regions *regions,
                             const struct kcap_region *region,
                             struct kcap_error *error);

/* The number of regions; 0 for NULL. */
size_t kcap_regions_count(const struct kcap_regions *regions);

/*
 Writes region number `index`, in the order of their addresses and from 0, to `region`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_regions_get(const struct kcap_regions *regions, size_t index, struct kcap_region *region);

/*
 Writes the SHA-256 of all bytes of all regions, in the order of their addresses, to the 32 bytes at `digest`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_regions_sha256(const struct kcap_regions *regions, uint8_t *digest);

/*
 ====================================================================================================
 The ELF header of the dump to come (`elfcorehdr=`): the first kernel writes it, the capture kernel makes `/proc/vmcore`
 of it.
 ====================================================================================================
 */

/* A buffer of notes in the first kernel's memory. */
typedef struct kcap_note_buffer {
  /* Its physical address: `/sys/devices/system/cpu/cpuN/crash_notes`, `/sys/kernel/vmcoreinfo`. */
  uint64_t paddr;
  /* Its length in bytes: `crash_notes_size`, and the second number of `vmcoreinfo`. */
  uint64_t len;
} kcap_note_buffer;

/* The first kernel's own image, which it runs at other addresses than the linear mapping's. */
typedef struct kcap_kernel_text {
  /* The virtual address of its first byte. */
  uint64_t vaddr;
  /* The physical address of its first byte: where `Kernel code` starts in `/proc/iomem`. */
  uint64_t paddr;
  /* Its length in bytes. */
  uint64_t len;
} kcap_kernel_text;

/* The first kernel's linear mapping of RAM. */
typedef struct kcap_direct_map {
  /* `PAGE_OFFSET`: the virtual address at which the mapping starts. */
  uint64_t page_offset;
  /* The physical address that stands there: 0, `PHYS_OFFSET` on arm64, `phys_ram_base` on riscv. */
  uint64_t phys_offset;
  /* The first physical address that the mapping leaves out. */
  uint64_t end;
} kcap_direct_map;

/*
 The mapping of x86_64. With KASLR `page_offset` is another one at every boot: the lowest `PT_LOAD` of `/proc/kcore`,
 rounded down to 1 GiB; without, 0xffff888000000000 with 4 levels of page tables and 0xff11000000000000 with 5.
 */
struct kcap_direct_map kcap_direct_map_x86_64(uint64_t page_offset);

/* The mapping of i386 with the usual split of 3 GiB to 1 GiB: 896 MiB of low memory from 0xc0000000 on. */
struct kcap_direct_map kcap_direct_map_i386(void);

/*
 The mapping of arm64: `page_offset` is `-1 << VA_BITS` from Linux 5.4 on, `-1 << (VA_BITS - 1)` before; `phys_offset` is
 VMCOREINFO's `NUMBER(PHYS_OFFSET)`.
 */
struct kcap_direct_map kcap_direct_map_arm64(uint64_t page_offset,
                                             uint64_t phys_offset);

/* The mapping of riscv64: VMCOREINFO's `NUMBER(PAGE_OFFSET)` and `NUMBER(phys_ram_base)`. */
struct kcap_direct_map kcap_direct_map_riscv64(uint64_t page_offset, uint64_t phys_ram_base);

/* The mapping of ppc64, either byte order: from 0xc000000000000000 on, up to the kernel's `MAXMEM`. */
struct kcap_direct_map kcap_direct_map_ppc64(uint64_t maxmem);

/*
 Writes the virtual address of the physical address `paddr` to `vaddr`.

 Errors: `KCAP_ERR_NOT_MAPPED` where the mapping leaves it out, `KCAP_ERR_NULL`.
 */
kcap_status kcap_direct_map_virt(const struct kcap_direct_map *map, uint64_t paddr, uint64_t *vaddr);

/* Low memory that a purgatory copies before the capture kernel uses it. */
typedef struct kcap_backup {
  /* The memory that is copied. */
  struct kcap_span source;
  /* The physical address of the copy. */
  uint64_t copy;
} kcap_backup;

/*
 What a header is made of. Set `size`; NULL and 0 elsewhere say that something is not known or not wanted, and
 `kcap_elfcorehdr_get_omitted` says what the header does without. Everything is read during each call, and nothing is kept.

 Program headers come in this order: a `PT_NOTE` for each CPU, one for VMCOREINFO, then `PT_LOAD`s: the kernel's text, the
 backup, and RAM in ascending order.
 */
typedef struct kcap_elfcorehdr {
  /* `sizeof(kcap_elfcorehdr)`. */
  size_t size;
  /* The machine's memory: RAM that is no crash kernel's goes in the dump (`KCAP_RANGES_DUMPED`). May not be NULL. */
  const struct kcap_memory_map *memory;
  /* The notes of each CPU that has any. */
  const struct kcap_note_buffer *cpu_notes;
  /* Their number. */
  size_t cpu_notes_count;
  /* The note of VMCOREINFO, or NULL. */
  const struct kcap_note_buffer *vmcoreinfo;
  /* The kernel's text, where the architecture maps it apart (x86_64, arm64, riscv64) and it is known, or NULL. */
  const struct kcap_kernel_text *text;
  /* The linear mapping, or NULL. */
  const struct kcap_direct_map *direct_map;
  /*
   RAM to leave out nonetheless: on x86 from Linux 5.5 on the first mebibyte, 0 to 0x100000, as the kernel's own
   loader does.
   */
  const struct kcap_span *exclude;
  /* The number of spans there. */
  size_t exclude_count;
  /* Low memory that is found elsewhere after the crash, or NULL. */
  const struct kcap_backup *backup;
  /* `e_machine` of the first kernel: 62 for x86_64. */
  uint32_t e_machine;
  /* The bits of an address: 64 (also 0) or 32. */
  uint32_t bits;
  /* The byte order of the first kernel: 1 for big-endian, 0 for little-endian. */
  uint32_t big_endian;
  /* 0. */
  uint32_t reserved;
} kcap_elfcorehdr;

/*
 The bits of an address that i386 needs in the header for the memory in `map`: 32, unless RAM lies above 4 GiB; 64 for
 every other machine. 0 where `map` is NULL.
 */
uint32_t kcap_elfcorehdr_bits(uint32_t e_machine,
                              const struct kcap_memory_map *map);

/* No CPU has notes: the dump will have no registers. */
#define KCAP_OMITTED_CPU_NOTES 1

/* No VMCOREINFO: tools will have to be told the kernel's layouts. */
#define KCAP_OMITTED_VMCOREINFO 2

/* No linear mapping: every `p_vaddr` of RAM is 0. */
#define KCAP_OMITTED_DIRECT_MAP 4

/* No `PT_LOAD` of the kernel's text, on a machine that has one. */
#define KCAP_OMITTED_TEXT 8

/*
 Writes what the header does without, because it was not known, to `omitted`: bits of `KCAP_OMITTED_`. A capture kernel and
 dump tools accept such a header, but with less to start from.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`, `KCAP_ERR_INVALID`.
 */
kcap_status kcap_elfcorehdr_get_omitted(const struct kcap_elfcorehdr *header,
                                        uint32_t *omitted,
                                        struct kcap_error *error);

/*
 Writes what the header says of the version `epoch` of the map that it is made of to `version`, for a note
 (`kcap_map_note_encode`): the capture side sees by it whether the header is still that one. The note's own entry in
 `cpu_notes` changes nothing. A header that is patched still has the note of the version that it was built of. `error` may be NULL.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`, `KCAP_ERR_INVALID`.
 */
kcap_status kcap_elfcorehdr_get_map_note(const struct kcap_elfcorehdr *header,
                                         uint64_t epoch,
                                         struct kcap_map_note *version,
                                         struct kcap_error *error);

/* The sizes of a header. Set `size` before the call. */
typedef struct kcap_elfcorehdr_lengths {
  /* `sizeof(kcap_elfcorehdr_lengths)`. */
  size_t size;
  /* The length of the header, in bytes: `bufsz` of its segment. */
  uint64_t encoded_len;
  /* The number of program headers. */
  uint32_t phnum;
  /* 0. */
  uint32_t reserved;
} kcap_elfcorehdr_lengths;

/*
 Writes the sizes of the header to `lengths`.

 Errors: as for `kcap_elfcorehdr_encode`, but for the buffer.
 */
kcap_status kcap_elfcorehdr_measure(const struct kcap_elfcorehdr *header,
                                    struct kcap_elfcorehdr_lengths *lengths,
                                    struct kcap_error *error);

/*
 Writes the header to the front of the `buf_len` bytes at `buf`, and its length in bytes to `len`, which may be NULL. The
 rest of `buf` is not touched. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `buf`); `KCAP_ERR_UNSUPPORTED` for notes, text or backup that run
 past the end of the address space, an address that 32 bits cannot hold, and 65535 program headers or more, which the
 capture kernel refuses; `KCAP_ERR_INVALID` (`e_machine`, `bits`, `big_endian`); `KCAP_ERR_NULL`; `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_elfcorehdr_encode(const struct kcap_elfcorehdr *header,
                                   uint8_t *buf,
                                   size_t buf_len,
                                   size_t *len,
                                   struct kcap_error *error);

/*
 As `kcap_elfcorehdr_encode`, but the header fills the `buf_len` bytes at `buf`: what is left of them, as far as it goes, is
 spare program headers, all zero, for `kcap_elfcorehdr_patch`. `e_phnum` counts them, up to 65534.

 Errors: as for `kcap_elfcorehdr_encode`.
 */
kcap_status kcap_elfcorehdr_encode_with_spare(const struct kcap_elfcorehdr *header,
                                              uint8_t *buf,
                                              size_t buf_len,
                                              size_t *len,
                                              struct kcap_error *error);

/*
 ====================================================================================================
 Memory that comes and goes, in an elfcorehdr that stays in its place.
 ====================================================================================================
 */

/*
 Makes the changes from one version of `map` to another in a header that lies where the capture kernel will read it, safe against a
 crash between any two stores: what stands there is a whole header at every moment, no memory is in it twice, and none
 that is in neither version. Linux keeps user space from a loaded crash segment: this is for who owns the memory, such as a
 hypervisor, a firmware, a kernel.

 `words`: the `words_count` words of 64 bits of the header, aligned to 8. Each store is of one whole word: the
 function is there on machines that have atomic stores of 64 bits.
 `header`: what `kcap_elfcorehdr_encode_with_spare` made it of; its `memory` may not be NULL and is not read.
 `before`: the version that the header shows. `after`: the one that it is to show. Both must be held.
 `work`: `work_len` bytes, aligned to 8, for this call; 24 for each change do. `error` may be NULL.

 Memory that comes gets a `PT_LOAD` of its own, even next to another: build the header anew at a convenient time, and the neighbours
 become one.

 A header with a note of the map's version still has the note of the version that it was built of: take the note away first, by a zero in
 the first 4 bytes of it.

 Errors, all before the first store:
 - `KCAP_ERR_BUFFER_TOO_SMALL`: `work` (`kcap_error.field` is empty, `value` bytes for it), or the header has too few spare program headers
   (`field` is `e_phnum`, `value` their number with those in use): build it anew.
 - `KCAP_ERR_UNSUPPORTED`: `p_type` where the first `PT_LOAD` would become unused or move: build the header anew. `e_ident` for 32 bits.
 - `KCAP_ERR_CORRUPT`: the header is not of `header`, or does not show `before`.
 - `KCAP_ERR_INVALID`: `version` where nobody holds `before` or `after` (`value` is its epoch), else a field of `header`.
 - `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_elfcorehdr_patch(const struct kcap_elfcorehdr *header,
                                  uint64_t *words,
                                  size_t words_count,
                                  const struct kcap_versioned_map *map,
                                  const struct kcap_map_version *before,
                                  const struct kcap_map_version *after,
                                  void *work,
                                  size_t work_len,
                                  struct kcap_error *error);

/*
 ====================================================================================================
 What the running kernel checks when a kernel is loaded, checked before it is asked.
 ====================================================================================================
 */

/* `KEXEC_ON_CRASH`: the image is entered when the kernel crashes. */
#define KCAP_KEXEC_ON_CRASH 1

/* `KEXEC_PRESERVE_CONTEXT`: the image may return. */
#define KCAP_KEXEC_PRESERVE_CONTEXT 2

/* `KEXEC_UPDATE_ELFCOREHDR`: the kernel may rewrite the elfcorehdr; x86, Linux 6.6. */
#define KCAP_KEXEC_UPDATE_ELFCOREHDR 4

/* `KEXEC_CRASH_HOTPLUG_SUPPORT`: the kernel may rewrite what hotplug changes; Linux 6.10. */
#define KCAP_KEXEC_CRASH_HOTPLUG_SUPPORT 8

/* The bits of the flags that are an `e_machine`, shifted left by 16 bits. */
#define KCAP_KEXEC_ARCH_MASK 0xffff0000

/* The running kernel, as far as its checks of an image go. Set `size`. */
typedef struct kcap_kernel_rules {
  /* `sizeof(kcap_kernel_rules)`. */
  size_t size;
  /* `crashk_res`: the region where a crash kernel goes; empty without `crashkernel=`. */
  struct kcap_span crash_region;
  /* The pages of RAM that the kernel uses (`totalram_pages`). */
  uint64_t ram_pages;
  /* No segment may end at this address or above it (`KEXEC_DESTINATION_MEMORY_LIMIT`). */
  uint64_t memory_limit;
  /* The single pages that the kernel takes from the crash region for itself. */
  uint64_t control_pages;
  /* The machine, an `e_machine` number. */
  uint32_t e_machine;
  /* The flags that the kernel knows, without the machine. */
  uint32_t known_flags;
} kcap_kernel_rules;

/* An image, as `kexec_load` is given it. Set `size`. */
typedef struct kcap_load_image {
  /* `sizeof(kcap_load_image)`. */
  size_t size;
  /* The segments, in any order. */
  const struct kcap_extent *segments;
  /* Their number. */
  size_t segment_count;
  /* Where the image is entered. */
  uint64_t entry;
  /* The flags of the call, the machine among them. */
  uint32_t flags;
  /* 0. */
  uint32_t reserved;
} kcap_load_image;

/* Why the kernel would refuse an image: one of the `KCAP_REFUSAL_` numbers. */
typedef uint32_t kcap_refusal_kind;

/* The flags have bits that the kernel does not know: `value`. */
#define KCAP_REFUSAL_UNKNOWN_FLAGS 1

/* There are more than `KCAP_SEGMENT_MAX` segments: `value`. */
#define KCAP_REFUSAL_TOO_MANY_SEGMENTS 2

/* The image is for another machine: `value`, an `e_machine` number; `other` is the running kernel's. */
#define KCAP_REFUSAL_WRONG_MACHINE 3

/* The kernel has no crash region. */
#define KCAP_REFUSAL_NO_CRASH_REGION 4

/* The entry of a crash kernel is outside the crash region: `value`. */
#define KCAP_REFUSAL_ENTRY_OUTSIDE 5

/* `segment` goes past the end of the address space. */
#define KCAP_REFUSAL_WRAPS 6

/* `segment` does not begin on a page boundary, but at `value`. */
#define KCAP_REFUSAL_START_UNALIGNED 7

/* `segment` does not end on a page boundary, but at `value`. */
#define KCAP_REFUSAL_END_UNALIGNED 8

/* `segment` ends above the memory that the kernel can reach: `value`. */
#define KCAP_REFUSAL_ABOVE_LIMIT 9

/* `segment` and `other` share memory. */
#define KCAP_REFUSAL_OVERLAP 10

/* `segment` has more bytes than memory. */
#define KCAP_REFUSAL_LARGER_THAN_ITS_MEMORY 11

/* `segment` takes more than half of RAM. */
#define KCAP_REFUSAL_MORE_THAN_HALF_OF_RAM 12

/* All segments together take more than half of RAM: `value` pages. */
#define KCAP_REFUSAL_ALL_MORE_THAN_HALF_OF_RAM 13

/* `segment` of a crash kernel is outside the crash region. */
#define KCAP_REFUSAL_OUTSIDE_CRASH_REGION 14

/* The crash region has no room left for the pages that the kernel takes for itself: `value` pages. */
#define KCAP_REFUSAL_NO_CONTROL_PAGES 15

/* What `segment` of a refusal is that is of no segment. */
#define KCAP_NO_SEGMENT 0xffffffffffffffffull

/* Why the kernel would refuse an image. Set `size` before the call. Segments are counted from 0, in the order given. */
typedef struct kcap_refusal {
  /* `sizeof(kcap_refusal)`. */
  size_t size;
  /* An address, flags, a machine, or a number of segments or pages, as `kind` says. */
  uint64_t value;
  /* The segment that is refused; `KCAP_NO_SEGMENT` where it is none. */
  uint64_t segment;
  /* Another segment, or the running kernel's machine, as `kind` says. */
  uint64_t other;
  /* A `KCAP_REFUSAL_` number. */
  kcap_refusal_kind kind;
  /* The `errno` that the kernel would have answered. */
  int32_t code;
} kcap_refusal;

/*
 Checks `image` as the running kernel, of which `rules` tells, will check it: its first reason to refuse it goes to
 `refusal`. A load that fails in the kernel leaves no crash kernel behind, so ask here first. Permission, signatures
 and a lock held by somebody else are left to the kernel. `refusal` and `error` may be NULL.

 Errors: `KCAP_ERR_REFUSED` (`value`: the `errno`), which is the one for which `refusal` is written; `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`, `KCAP_ERR_INVALID` (`e_machine`).
 */
kcap_status kcap_kernel_would_accept(const struct kcap_load_image *image,
                                     const struct kcap_kernel_rules *rules,
                                     struct kcap_refusal *refusal,
                                     struct kcap_error *error);

/*
 Writes `refusal` in words, one line without a full stop and NUL-terminated, to the `len` bytes at `text`.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `text`), `KCAP_ERR_INVALID` for what is no refusal,
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_refusal_text(const struct kcap_refusal *refusal,
                              char *text,
                              size_t len,
                              struct kcap_error *error);

/*
 ====================================================================================================
 What goes where in memory, so that the kernel that boots next finds all it needs.
 ====================================================================================================
 */

/* Bytes of memory that are enough for a plan of every Linux of today, whatever its command line. */
#define KCAP_PLAN_MEMORY 8192

/*
 A kernel with its place in memory. It keeps the bytes that its request named, the memory map, and its memory.

 Threads may use one object at once: nothing of it changes after its init.
 */
typedef struct kcap_plan kcap_plan;

/* The size of a `kcap_plan`, in bytes. */
size_t kcap_plan_size(void);

/* What the address of a `kcap_plan` must be a multiple of. */
size_t kcap_plan_align(void);

/*
 The object that checks the digest and enters the kernel. Set `size`. All zeros: our own object, which checks, stops on a
 mismatch and prints nothing.
 */
typedef struct kcap_plan_purgatory {
  /* `sizeof(kcap_plan_purgatory)`. */
  size_t size;
  /* A relocatable ELF object of the machine; NULL for our own (`kcap_purgatory_x86_64`). */
  const uint8_t *object;
  /* Its length in bytes. */
  size_t object_len;
  /* By which symbols the object is told what to do: a `KCAP_PROFILE_` number. */
  uint32_t profile;
  /*
   What happens when the digest is not the one recorded: a `KCAP_ON_MISMATCH_` number. A foreign object stops, whatever
   is asked.
   */
  uint32_t on_mismatch;
  /* Not 0: the digest is not checked. */
  uint32_t skip_check;
  /* The first I/O port of an 8250 to print to, 0x3f8 for `ttyS0`; 0 for none. */
  uint32_t serial_port;
  /* The rate to set, in bits per second; 0 leaves the UART as it is. */
  uint32_t serial_baud;
  /* Not 0: print to the VGA text screen. */
  uint32_t vga;
} kcap_plan_purgatory;

/* The running kernel, as far as it decides what can be loaded. Set `size`. */
typedef struct kcap_plan_running {
  /* `sizeof(kcap_plan_running)`. */
  size_t size;
  /*
   The pages of RAM that the kernel uses: `MemTotal` of `/proc/meminfo`, in pages of 4 KiB. A load may take half. 0: all
   `KCAP_RANGE_SYSTEM_RAM` of the map.
   */
  uint64_t ram_pages;
  /* The machine, an `e_machine` number; 0 for x86_64. */
  uint32_t e_machine;
  /*
   The flags of `kexec_load` that the kernel knows (`kcap_kexec_knows_flag` asks it), without the machine; 0: those of Linux
   6.6. Of `KCAP_KEXEC_UPDATE_ELFCOREHDR` and `KCAP_KEXEC_CRASH_HOTPLUG_SUPPORT` a plan takes the newer.
   */
  uint32_t known_flags;
  /* Not 0: it runs with 5-level page tables (`la57` in the flags of `/proc/cpuinfo`, and not `no5lvl`). */
  uint32_t five_level;
  /* Not 0: the CPU maps 1 GiB at once (`pdpe1gb` in the flags of `/proc/cpuinfo`). */
  uint32_t gib_pages;
} kcap_plan_running;

/*
 A kernel to be loaded, and the machine that it is loaded on. Set `size`; NULL and 0 elsewhere say none.

 A plan keeps what the pointers to bytes, to the memory map and to the EFI runtime map point at; the structs themselves are
 read by `kcap_plan_init` alone.
 */
typedef struct kcap_plan_request {
  /* `sizeof(kcap_plan_request)`. */
  size_t size;
  /* The kernel image, the whole file: a bzImage, a `vmlinux`, or a unified kernel image that holds one of them. */
  const uint8_t *kernel;
  /* Its length in bytes. */
  size_t kernel_len;
  /* The initrd, the whole file; NULL for none. A unified kernel image may bring its own. */
  const uint8_t *initrd;
  /* Its length in bytes. */
  size_t initrd_len;
  /* The command line. NULL or empty: the one that a unified kernel image brings. */
  const char *command_line;
  /*
   The memory of the machine, as the running kernel sees it, with its crash regions (`KCAP_RANGE_CRASH_KERNEL`). May not
   be NULL, and may not be changed while the plan is used.
   */
  const struct kcap_memory_map *memory;
  /*
   The memory of the machine, as its firmware told the running kernel (`kcap_memory_map_read_firmware`): what an ordinary kernel is
   told instead of `memory`, which the running kernel may have changed. NULL: `memory`. As unchanging as that.
   */
  const struct kcap_memory_map *firmware;
  /* The encoded ELF core header of a crash kernel: `kcap_elfcorehdr_encode`. */
  const uint8_t *elfcorehdr;
  /* Its length in bytes. */
  size_t elfcorehdr_len;
  /* Low memory that the purgatory copies, as the header says it (`kcap_plan_low_memory_backup`), or NULL. */
  const struct kcap_backup *backup;
  /* What runs between the two kernels; NULL for our own object as it is. */
  const struct kcap_plan_purgatory *purgatory;
  /* The running kernel; NULL for an x86_64 kernel of 4-level page tables without 1-GiB pages: for a plan that is made elsewhere. */
  const struct kcap_plan_running *running;
  /* The running kernel's boot parameters, 4096 bytes (`/sys/kernel/boot_params/data`), or NULL. */
  const uint8_t *boot_params;
  /* EFI's runtime services, or NULL. A kernel that can not take them over is not told of them. */
  const struct kcap_efi_runtime *efi;
  /* Further items of `setup_data`, such as random bytes. */
  const struct kcap_setup_data *setup_data;
  /* Their number, at most `KCAP_SETUP_DATA_MAX`. */
  size_t setup_data_count;
  /* The addresses that the caller allows; an `end` of 0 allows all from `start` on. */
  struct kcap_span limits;
  /*
   The memory in bytes that the running kernel wants for an elfcorehdr that it keeps up to date
   (`/sys/kernel/crash_elfcorehdr_size`, Linux 6.6): the header is then no part of the digest. 0: nobody changes it, and
   the kernel is loaded anew when CPUs or memory come or go.
   */
  uint64_t elfcorehdr_room;
  /* The physical address of ACPI's root pointer, where the running kernel's boot parameters do not say it; 0 for none. */
  uint64_t acpi_rsdp;
  /* When the kernel is entered: `KCAP_LOAD_ORDINARY` or `KCAP_LOAD_CRASH`. */
  uint32_t load;
  /* 0. */
  uint32_t reserved;
} kcap_plan_request;

/*
 Plans what `request` asks for, in the `plan_len` bytes at `plan`: every place and every size, checked as the running kernel will
 check them. A plan is made for x86_64 only.

 The `memory_len` bytes at `memory`, aligned to 8, take the command line and the list of `setup_data`, and are used for as long as
 `plan` is: `KCAP_PLAN_MEMORY` of them are enough. Where the running kernel would refuse the plan, the reason goes to
 `refusal`. `refusal` and `error` may be NULL.

 Errors: `KCAP_ERR_REFUSED` (`value`: the `errno`, `field`: the segment); `KCAP_ERR_NO_ROOM` (`value`: bytes, `field`: the
 segment); `KCAP_ERR_NO_CRASH_REGION`; `KCAP_ERR_NO_ELFCOREHDR`; `KCAP_ERR_KERNEL_KIND`; `KCAP_ERR_FIVE_LEVEL_PAGING`;
 `KCAP_ERR_ELF_MAGIC`; `KCAP_ERR_NO_LINUX`; `KCAP_ERR_ELFCOREHDR_GIVEN`; `KCAP_ERR_COMMAND_LINE_TOO_LONG`; those of the image and of the purgatory;
 `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `plan`, or for `memory`); `KCAP_ERR_INVALID`.
 */
kcap_status kcap_plan_init(struct kcap_plan *plan,
                           size_t plan_len,
                           const struct kcap_plan_request *request,
                           void *memory,
                           size_t memory_len,
                           struct kcap_refusal *refusal,
                           struct kcap_error *error);

/* The physical address at which the image is entered: purgatory's. 0 for NULL. */
uint64_t kcap_plan_entry(const struct kcap_plan *plan);

/* The physical address at which purgatory enters the kernel. 0 for NULL. */
uint64_t kcap_plan_kernel_entry(const struct kcap_plan *plan);

/* The flags of `kexec_load`, the machine among them. 0 for NULL. */
uint32_t kcap_plan_flags(const struct kcap_plan *plan);

/* The length in bytes of the scratch that `kcap_plan_encode` needs. 0 for NULL. */
size_t kcap_plan_scratch_len(const struct kcap_plan *plan);

/*
 The command line of the kernel, with all that was added, without a NUL: its first byte, and the number of bytes in `len`.
 NULL where one of the two is NULL.
 */
const char *kcap_plan_command_line(const struct kcap_plan *plan,
                                   size_t *len);

/*
 Makes an image of the kernel, also where it came in a unified kernel image, in the `image_len` bytes at `image`. It keeps the file that
 the request named.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `image`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_plan_kernel(const struct kcap_plan *plan,
                             struct kcap_image *image,
                             size_t image_len,
                             struct kcap_error *error);

/* The longest command line that the kernel takes, in bytes without its NUL. 0 for NULL. */
uint64_t kcap_plan_cmdline_size(const struct kcap_plan *plan);

/*
 Writes to `backup` memory at the top of the crash region for what the kernel keeps in its first 640 KiB, where a capture kernel
 boots: needed where the running kernel does not keep that memory out of its own use (x86 before Linux 5.5). `limits` are
 the addresses that the caller allows. Give it to the elfcorehdr and to the plan.

 Errors: `KCAP_ERR_NOT_FOUND` where there is no such RAM, no crash region, or no room in it, `KCAP_ERR_NULL`.
 */
kcap_status kcap_plan_low_memory_backup(const struct kcap_memory_map *memory,
                                        const struct kcap_span *limits,
                                        struct kcap_backup *backup);

/* Why a segment may only be at some places: `elfcorehdr=` gives its address. */
#define KCAP_PLACEMENT_HEADER_ADDRESS 1

/* The object is linked at its own address. */
#define KCAP_PLACEMENT_LINKED_IN_PLACE 2

/* The kernel reads it before it has page tables of its own. */
#define KCAP_PLACEMENT_EARLY_BOOT 3

/* The kernel's `kernel_alignment`, and its `pref_address`: below it the kernel would move itself up. */
#define KCAP_PLACEMENT_KERNEL_HEADER 4

/* The kernel can not be moved: it runs at its `pref_address` only. */
#define KCAP_PLACEMENT_NOT_RELOCATABLE 5

/* Anywhere above the memory of old boot loaders. */
#define KCAP_PLACEMENT_ABOVE_LOW_MEMORY 6

/* A `vmlinux` that does not say that it may be moved. */
#define KCAP_PLACEMENT_PROGRAM_HEADERS 7

/* A `vmlinux` that says by how much it may be moved. */
#define KCAP_PLACEMENT_PHYSICAL_ALIGNMENT 8

/* The elfcorehdr has its address. */
#define KCAP_PLACEMENT_BACKUP 9

/* A `KCAP_PLACEMENT_` number in words: a string of the library's own, "unknown" for another number. */
const char *kcap_placement_str(uint32_t reason);

/* A segment of a plan. Set `size` before the call. */
typedef struct kcap_plan_segment {
  /* `sizeof(kcap_plan_segment)`. */
  size_t size;
  /* Its memory. */
  struct kcap_extent extent;
  /* Where it had to be: what the caller, the crash region and the segment itself allow. */
  struct kcap_span limits;
  /* What its address is a multiple of, in bytes. */
  uint64_t alignment;
  /* What it holds: a `KCAP_SEGMENT_` number. */
  kcap_segment_kind kind;
  /* What set the alignment and the limits: a `KCAP_PLACEMENT_` number. */
  uint32_t reason;
  /* 1 where its bytes are in the digest, else 0. */
  uint32_t in_digest;
  /* 1 where the lowest place that fits was taken, 0 for the highest. */
  uint32_t bottom_up;
} kcap_plan_segment;

/* The number of segments; 0 for NULL. */
size_t kcap_plan_segment_count(const struct kcap_plan *plan);

/*
 Writes segment number `index`, in the order in which they were placed and from 0, to `segment`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_plan_get_segment(const struct kcap_plan *plan,
                                  size_t index,
                                  struct kcap_plan_segment *segment);

/*
 Writes the purgatory and the boot parameters in the `scratch_len` bytes at `scratch`, and the digest that purgatory checks to the
 32 bytes at `digest`, which may be NULL. On an error the bytes at `scratch` are unspecified.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `scratch`), those of the purgatory's relocations and symbols,
 `KCAP_ERR_ELF_MAGIC`.
 */
kcap_status kcap_plan_encode(const struct kcap_plan *plan,
                             uint8_t *scratch,
                             size_t scratch_len,
                             uint8_t *digest,
                             struct kcap_error *error);

/*
 Writes address and length of the bytes of segment number `index` to `bytes` and `len`, `scratch` being what
 `kcap_plan_encode` filled: they are in `scratch`, or in one of the files that the request named.

 Errors: `KCAP_ERR_NOT_FOUND` past the last segment, `KCAP_ERR_BUFFER_TOO_SMALL` for `scratch`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_plan_bytes(const struct kcap_plan *plan,
                            size_t index,
                            const uint8_t *scratch,
                            size_t scratch_len,
                            const uint8_t **bytes,
                            size_t *len);

/*
 Makes a list of what the digest covers, in the `regions_len` bytes at `regions`, `scratch` being what `kcap_plan_encode`
 filled. The list keeps the bytes of the plan.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `regions`, or for `scratch`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_plan_regions(const struct kcap_plan *plan,
                              const uint8_t *scratch,
                              size_t scratch_len,
                              struct kcap_regions *regions,
                              size_t regions_len,
                              struct kcap_error *error);

/*
 Writes range number `index`, in ascending order and from 0, of the memory that the kernel is told of to `range`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_plan_told(const struct kcap_plan *plan,
                           size_t index,
                           struct kcap_range *range);

/*
 Writes decision number `index` of the plan, in the order in which they were made and from 0, to the `len` bytes at `text`: one
 line without a full stop, NUL-terminated. 512 bytes are enough for each.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `text`), `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_plan_explain(const struct kcap_plan *plan,
                              size_t index,
                              char *text,
                              size_t len,
                              struct kcap_error *error);

/*
 ====================================================================================================
 What a plan is asked for.
 ====================================================================================================
 */

/* When a loaded kernel is entered: when the running one is told to (`kexec -e`). It may have all memory (`kexec -l`). */
#define KCAP_LOAD_ORDINARY 0

/* When the running kernel crashes: it lives in the crash region (`kexec -p`). */
#define KCAP_LOAD_CRASH 1

/* Our own purgatory: one block of parameters. */
#define KCAP_PROFILE_KCAPTURE 0

/* The purgatory of kexec-tools (2.0.32): `sha256_regions`, `sha256_digest`, `entry64_regs` from rax, rbx on. */
#define KCAP_PROFILE_KEXEC_TOOLS 1

/*
 The purgatory of the kernel's own loader (Linux 6.12): `purgatory_sha_regions`, `purgatory_sha256_digest`,
 `entry64_regs` from rax, rcx on.
 */
#define KCAP_PROFILE_KERNEL 2

/* The digest is another one: say so and stop. */
#define KCAP_ON_MISMATCH_HALT 0

/* The digest is another one: say so and reset the machine. */
#define KCAP_ON_MISMATCH_RESET 1

/* The digest is another one: say so and enter the kernel all the same. */
#define KCAP_ON_MISMATCH_CONTINUE 2

/*
 ====================================================================================================
 When to load a crash kernel again where the running kernel does not keep its elfcorehdr up to date: once for all the
 CPUs and memory blocks that come and go together, and not while they do.
 ====================================================================================================
 */

/*
 Events that end in one load. It has no clock and waits for nothing: the caller says when an event came, and asks when the
 load is due. All times count the caller's unit from the caller's zero, and do not go back.

 Set `quiet` and `longest`, and the rest to 0.
 */
typedef struct kcap_burst {
  /* The burst ends when no event came for so long, */
  uint64_t quiet;
  /* at the latest so long after its first event. */
  uint64_t longest;
  /* When the first event came. */
  uint64_t first;
  /* When the last event came. */
  uint64_t last;
  /* The number of events; 0: there is no burst. */
  uint64_t count;
} kcap_burst;

/*
 An event came at `now`, or may have been missed.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_burst_event(struct kcap_burst *burst, uint64_t now, struct kcap_error *error);

/*
 Writes the time at which to load to `due`; `UINT64_MAX` where no event came.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_burst_due(const struct kcap_burst *burst, uint64_t *due, struct kcap_error *error);

/*
 Writes to `ends` whether the load is due at `now`: 1 or 0. If so the burst has ended, and the next event begins another one.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_burst_ends(struct kcap_burst *burst,
                            uint64_t now,
                            uint32_t *ends,
                            struct kcap_error *error);

/*
 ====================================================================================================
 Whether a machine is ready for a crash, a kexec or a live update: rules over what the caller collected.
 ====================================================================================================
 */

/* A crash: the kernel that was loaded for it captures the machine's memory. */
#define KCAP_FOR_KDUMP 0

/* Leaving the running kernel for another one; processes end. */
#define KCAP_FOR_KEXEC 1

/* The same, with memory and devices handed over. */
#define KCAP_FOR_LIVE_UPDATE 2

/* As it should be. */
#define KCAP_VERDICT_OK 0

/* Worth knowing. */
#define KCAP_VERDICT_INFO 1

/* Something will be lost, or may go wrong. */
#define KCAP_VERDICT_WARN 2

/* What is about to be done cannot work, or is not safe. */
#define KCAP_VERDICT_BLOCK 3

/* Is a crash kernel loaded? */
#define KCAP_CHECK_CRASH_IMAGE 1

/* Is enough memory set aside for it? */
#define KCAP_CHECK_RESERVATION 2

/* Does it know the memory that there is? */
#define KCAP_CHECK_MEMORY_MAP 3

/* Can memory of a kernel be taken away? */
#define KCAP_CHECK_REMOVABLE_MEMORY 4

/* May a kernel be loaded? */
#define KCAP_CHECK_LOADING 5

/* Who has special files open? */
#define KCAP_CHECK_OPEN_FILE 6

/* Who locks or pins memory? */
#define KCAP_CHECK_LOCKED_MEMORY 7

/* How much memory is in pools of huge pages? */
#define KCAP_CHECK_HUGE_PAGES 8

/* Is `/dev/liveupdate` free? */
#define KCAP_CHECK_LIVE_UPDATE 9

/* Is kexec handover on? */
#define KCAP_CHECK_KHO 10

/* Can the dump be written? */
#define KCAP_CHECK_DUMP_TARGET 11

/* Could every process be looked at? */
#define KCAP_CHECK_UNSEEN 12

/* Another question, of a newer library. */
#define KCAP_CHECK_OTHER 255

/* The machine does not say it. */
#define KCAP_NOT_SAID 0

/* It says no. */
#define KCAP_SAID_NO 1

/* It says yes. */
#define KCAP_SAID_YES 2

/* Bits of `kcap_preflight.known`: `crash_size` is known. */
#define KCAP_KNOWN_CRASH_SIZE 1

/* `crash_least` and `crash_safe` are. */
#define KCAP_KNOWN_CRASH_NEEDS 2

/* `map_loaded` is. */
#define KCAP_KNOWN_MAP_LOADED 4

/* `map_now` is. */
#define KCAP_KNOWN_MAP_NOW 8

/* `limit_panic` is. */
#define KCAP_KNOWN_LIMIT_PANIC 0x10

/* `limit_reboot` is. */
#define KCAP_KNOWN_LIMIT_REBOOT 0x20

/* `ram` and `hugetlb` are. */
#define KCAP_KNOWN_RAM 0x40

/* `kho_scratch` is. */
#define KCAP_KNOWN_KHO_SCRATCH 0x80

/* `target_free` is: else the folder cannot be reached. */
#define KCAP_KNOWN_TARGET_FREE 0x100

/* `dump_least` and `dump_most` are. */
#define KCAP_KNOWN_DUMP_NEEDS 0x200

/* `service_manager` is. */
#define KCAP_KNOWN_SERVICE_MANAGER 0x400

/* A process. */
typedef struct kcap_process {
  /* Its name or command line, in UTF-8. */
  const char *command;
  /* The service it belongs to, in UTF-8, where that is known (on Linux by its cgroup); else NULL. A login session is none. */
  const char *unit;
  /* Memory that must not be swapped out, in bytes. */
  uint64_t locked;
  /* Memory that must not move, in bytes. */
  uint64_t pinned;
  /* Its number. */
  uint32_t pid;
  /* Its parent's number, 0 for none. */
  uint32_t parent;
  /* Not 0: the service manager lists `unit`, or without one the process itself, as active. */
  uint32_t active;
  /* 0. */
  uint32_t reserved;
} kcap_process;

/* An open file is neither of the next two. */
#define KCAP_FILE_OTHER 0

/* It is a character device. */
#define KCAP_FILE_CHAR_DEVICE 1

/* It lies on `hugetlbfs`. */
#define KCAP_FILE_HUGETLB 2

/* A file that a process has open. */
typedef struct kcap_open_file {
  /* Its path in UTF-8, as `/proc/PID/fd` links to it. */
  const char *path;
  /* The process. */
  uint32_t pid;
  /* What it is: a `KCAP_FILE_` number. */
  uint32_t kind;
  /* Of a device: the driver's number. */
  uint32_t major;
  /* Of a device: its own. */
  uint32_t minor;
  /* Not 0: a live-update session keeps it. */
  uint32_t preserved;
  /* 0. */
  uint32_t reserved;
} kcap_open_file;

/* Bytes of a SHA-256 digest of a map of RAM. */
#define KCAP_RAM_DIGEST_LEN 32

/* A machine at one moment. Set `size`; members of 0 say nothing. */
typedef struct kcap_preflight {
  /* `sizeof(kcap_preflight)`. */
  size_t size;
  /* All processes, in the order of their numbers. */
  const struct kcap_process *processes;
  /* How many. */
  size_t process_count;
  /* Files that they have open; those that are not special may be left out. */
  const struct kcap_open_file *files;
  /* How many. */
  size_t file_count;
  /* Where a crash kernel is loaded: what is set aside for it. */
  const struct kcap_span *crash_segments;
  /* How many. */
  size_t crash_segment_count;
  /* Where an ordinary kernel will be, as far as it is known. */
  const struct kcap_span *segments;
  /* How many. */
  size_t segment_count;
  /* Memory that may be taken away. */
  const struct kcap_span *removable;
  /* How many. */
  size_t removable_count;
  /* The folder for dumps in UTF-8, or NULL. */
  const char *target;
  /* Bytes set aside for a crash kernel. */
  uint64_t crash_size;
  /* Bytes that it needs at least. */
  uint64_t crash_least;
  /* Bytes that it needs to be safe. */
  uint64_t crash_safe;
  /* How often a crash kernel may still be loaded; -1: without limit. */
  int64_t limit_panic;
  /* How often an ordinary one may. */
  int64_t limit_reboot;
  /* Bytes of RAM. */
  uint64_t ram;
  /* Bytes of all pools of huge pages. */
  uint64_t hugetlb;
  /* Bytes that the next kernel starts in (KHO). */
  uint64_t kho_scratch;
  /* Free bytes in `target`. */
  uint64_t target_free;
  /* Bytes of a dump at `-d 31`, at least. */
  uint64_t dump_least;
  /* Bytes of a dump at `-d 31`, at most. */
  uint64_t dump_most;
  /* Processes whose open files could not be looked at. */
  uint64_t unseen;
  /* SHA-256 of the map of RAM that the crash kernel was loaded with: `kcap_memory_map_ram_digest`. */
  uint8_t map_loaded[KCAP_RAM_DIGEST_LEN];
  /* SHA-256 of the map of RAM now. */
  uint8_t map_now[KCAP_RAM_DIGEST_LEN];
  /* `KCAP_KNOWN_` bits: which of the numbers above say something. */
  uint32_t known;
  /* The process that starts and stops services: 1 where systemd runs. */
  uint32_t service_manager;
  /* Not 0: processes are to go on in the next kernel, so that each must be one that can be checkpointed. */
  uint32_t checkpoint;
  /* Whether the kernel has kexec: one of `KCAP_NOT_SAID`, `KCAP_SAID_NO`, `KCAP_SAID_YES`, as the following. */
  uint32_t has_kexec;
  /* Whether a crash kernel is loaded. */
  uint32_t crash_loaded;
  /* Whether an ordinary kernel is loaded. */
  uint32_t loaded;
  /* Whether the kernel itself tells the crash kernel of memory that comes and goes (`crash_hotplug`). */
  uint32_t map_updated;
  /* Whether loading is switched off (`kexec_load_disabled`). */
  uint32_t load_disabled;
  /* Whether the kernel is locked down. */
  uint32_t locked_down;
  /* Whether kexec handover is on. */
  uint32_t kho_on;
  /* Whether what is handed over is complete. */
  uint32_t kho_finalized;
  /* Whether there is a `/dev/liveupdate`. */
  uint32_t live_update;
  /* Whether somebody has it. */
  uint32_t live_update_busy;
  /* Not 0: a part of the reservation is lent to user space (`crashkernel=SIZE,cma`). */
  uint32_t crash_cma;
  /* Not 0: `target` lies on an encrypted device. */
  uint32_t target_encrypted;
  /* Not 0: the crash kernel is given the keys of it. */
  uint32_t target_keys;
} kcap_preflight;

/* Bytes of the texts of a `kcap_finding`, their NUL among them. */
#define KCAP_FINDING_TEXT 256

/* One finding. Its pointers are those of the snapshot. */
typedef struct kcap_finding {
  /* The process it is about, of `kcap_preflight.processes`; NULL for none. */
  const struct kcap_process *process;
  /* The file it is about, not NUL-terminated, of `path_len` bytes. */
  const char *path;
  /* 0 for none. */
  size_t path_len;
  /* The question: a `KCAP_CHECK_` number. */
  uint32_t check;
  /* How bad it is: a `KCAP_VERDICT_` number. */
  uint32_t verdict;
  /* 1: the service manager can stop the process and start it again. */
  uint32_t managed;
  /* 0. */
  uint32_t reserved;
  /* Why. */
  char reason[KCAP_FINDING_TEXT];
  /* What to do; empty for nothing. */
  char remedy[KCAP_FINDING_TEXT];
} kcap_finding;

/* Who takes findings. */
typedef struct kcap_finding_sink {
  /* Given to the callback as it is. */
  void *ctx;
  /*
   Takes a finding, which is used until the callback returns: 0, or the caller's own code, after which it is called no more. May
   not be NULL.
   */
  int32_t (*found)(void *ctx, const struct kcap_finding *finding);
} kcap_finding_sink;

/* The memory that `kcap_preflight_check` needs, in bytes. */
size_t kcap_preflight_work(size_t process_count, size_t file_count);

/*
 Looks at `machine` for a purpose, a `KCAP_FOR_` number: each finding goes to `sink`, and the worst verdict to `verdict`.

 `work`, aligned to 8, has `kcap_preflight_work` bytes and no content that matters. `error` may be NULL.

 Errors: `KCAP_ERR_INVALID` (purpose, kind of a file, a text that is not UTF-8), `KCAP_ERR_BUFFER_TOO_SMALL` (work), `KCAP_ERR_IO` (the
 sink's own code), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_preflight_check(const struct kcap_preflight *machine,
                                 uint32_t purpose,
                                 void *work,
                                 size_t work_len,
                                 const struct kcap_finding_sink *sink,
                                 uint32_t *verdict,
                                 struct kcap_error *error);

/*
 Writes a digest of the RAM of `map` that a dump holds to the `digest_len` bytes at `digest`, `KCAP_RAM_DIGEST_LEN` of them: the same for
 the same RAM, however a source cuts its ranges.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_memory_map_ram_digest(const struct kcap_memory_map *map,
                                       uint8_t *digest,
                                       size_t digest_len);

/*
 ====================================================================================================
 Flattened streams: read in place, written, and made plain files of.
 ====================================================================================================
 */

/*
 The dump inside a flattened stream (makedumpfile -F), read in place as if it had been written plainly.

 Threads may use one object at once if its input may be.
 */
typedef struct kcap_flattened kcap_flattened;

/* The size of a `kcap_flattened`, in bytes. */
size_t kcap_flattened_size(void);

/* What the address of a `kcap_flattened` must be a multiple of. */
size_t kcap_flattened_align(void);

/*
 Opens the flattened stream that `input` holds, in the `flattened_len` bytes at `flattened`: reads every record's header, not
 the data.

 `table`, of `table_len` bytes and aligned to 8, takes 24 bytes for each record, and some more for records that overlap.
 When `KCAP_ERR_BUFFER_TOO_SMALL` says how many bytes, a second answer may be higher than the first. `input` and `table` are used for
 as long as the object is. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `flattened`, or for `table`), `KCAP_ERR_UNSUPPORTED` (another format),
 `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`.
 */
kcap_status kcap_flattened_init(struct kcap_flattened *flattened,
                                size_t flattened_len,
                                const struct kcap_read_at *input,
                                void *table,
                                size_t table_len,
                                struct kcap_error *error);

/* What is known of a flattened stream. Set `size` before the call. */
typedef struct kcap_flattened_facts {
  /* `sizeof(kcap_flattened_facts)`. */
  size_t size;
  /* The size of the dump inside, in bytes. */
  uint64_t dump_size;
  /* The number of extents: see `kcap_flattened_get_extent`. */
  uint64_t extents;
  /* 1 if the stream has its end record; 0 if its writer did not finish or it was cut off. */
  uint32_t complete;
  /* 0. */
  uint32_t reserved;
} kcap_flattened_facts;

/*
 Writes what is known of the stream to `facts`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_flattened_get_facts(const struct kcap_flattened *flattened,
                                     struct kcap_flattened_facts *facts);

/* Bytes of a dump that stand together in a stream. */
typedef struct kcap_stream_extent {
  /* Where they start in the dump, in bytes. */
  uint64_t start;
  /* Where they end in the dump, in bytes. */
  uint64_t end;
  /* Where they start in the stream, in bytes; `UINT64_MAX` if the stream was cut off before them. */
  uint64_t source;
} kcap_stream_extent;

/*
 Writes extent number `index`, in the order of the dump and from 0, to `extent`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_flattened_get_extent(const struct kcap_flattened *flattened,
                                      size_t index,
                                      struct kcap_stream_extent *extent);

/*
 Writes callbacks that read the dump inside `flattened` to `reader`, for every function that takes an input.
 `flattened` is used for as long as they are.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_flattened_reader(const struct kcap_flattened *flattened, struct kcap_read_at *reader);

/* An output that becomes a flattened stream: for pipes, whose bytes are written in order only. */
typedef struct kcap_flattened_writer kcap_flattened_writer;

/* The size of a `kcap_flattened_writer`, in bytes. */
size_t kcap_flattened_writer_size(void);

/* What the address of a `kcap_flattened_writer` must be a multiple of. */
size_t kcap_flattened_writer_align(void);

/*
 Starts a stream in `output`, in the `object_len` bytes at `object`: writes its header of 4096 bytes.

 `output` is copied; it is written at offsets that grow from 0 without gaps. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_flattened_writer_init(struct kcap_flattened_writer *object,
                                       size_t object_len,
                                       const struct kcap_write_at *output,
                                       struct kcap_error *error);

/* The size of the stream so far, in bytes; 0 for NULL and after its end. */
uint64_t kcap_flattened_writer_written(const struct kcap_flattened_writer *object);

/*
 Writes callbacks that append to the stream to `output`, for every function that takes an output; an offset may be written
 once only. `object` is used for as long as they are.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_flattened_writer_output(struct kcap_flattened_writer *object,
                                         struct kcap_write_at *output);

/*
 Ends the stream with its end record. What it was written to is not synced. `error` may be NULL.

 Errors: `KCAP_ERR_STATE` (it has ended, by an error too), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_flattened_writer_finish(struct kcap_flattened_writer *object, struct kcap_error *error);

/* The copying of the dump inside a flattened stream to a plain file. */
typedef struct kcap_rearrange kcap_rearrange;

/* The size of a `kcap_rearrange`, in bytes. */
size_t kcap_rearrange_size(void);

/* What the address of a `kcap_rearrange` must be a multiple of. */
size_t kcap_rearrange_align(void);

/*
 Prepares to copy the dump inside `flattened`, whose table and input are used for as long as the object is, in the
 `rearrange_len` bytes at `rearrange`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_rearrange_init(struct kcap_rearrange *rearrange,
                                size_t rearrange_len,
                                const struct kcap_flattened *flattened,
                                struct kcap_error *error);

/*
 Copies at most `buf_len` bytes through `buf` to `output`, which must read as zero where nothing is written, as a new file
 does. `KCAP_OK`: call again; `KCAP_END`: the output is whole. Bytes that the stream was cut off before are not written.
 A failed step may be tried again. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`buf` is empty), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_rearrange_step(struct kcap_rearrange *rearrange,
                                const struct kcap_write_at *output,
                                uint8_t *buf,
                                size_t buf_len,
                                struct kcap_error *error);

/* The bytes copied so far; 0 for NULL. */
uint64_t kcap_rearrange_done(const struct kcap_rearrange *rearrange);

/*
 ====================================================================================================
 Which format a file has, by its first bytes.
 ====================================================================================================
 */

/* Another file, or one that cannot be read. */
#define KCAP_INPUT_UNKNOWN 0

/* An ELF file: see `kcap_elf_core_init`. */
#define KCAP_INPUT_ELF 1

/* A kdump-compressed file: see `kcap_kdump_init`. */
#define KCAP_INPUT_KDUMP 2

/* A flattened stream of either: see `kcap_flattened_init`. */
#define KCAP_INPUT_FLATTENED 3

/* Which format `input` has: one of the `KCAP_INPUT_` numbers, `KCAP_INPUT_UNKNOWN` for NULL too. */
uint32_t kcap_input_kind(const struct kcap_read_at *input);

/*
 ====================================================================================================
 Kdump-compressed files, and split sets of them.
 ====================================================================================================
 */

/* `flags` of `kcap_kdump_init`: files of the split set may be missing. Their pages are lost. */
#define KCAP_KDUMP_GAPS 1

/*
 A kdump-compressed file, or a split set of them.

 One thread at a time: it keeps the last bytes read of each table. Threads that read pages make a `kcap_memory` each.
 */
typedef struct kcap_kdump kcap_kdump;

/* The size of a `kcap_kdump`, in bytes. */
size_t kcap_kdump_size(void);

/* What the address of a `kcap_kdump` must be a multiple of. */
size_t kcap_kdump_align(void);

/*
 The memory that a `kcap_kdump` of `input_count` files is best given, in bytes. It opens with 8 KiB less, and is slower
 then.
 */
size_t kcap_kdump_work(size_t input_count);

/*
 Opens the `input_count` files at `inputs`, in any order: one kdump-compressed file, or all of a split set, in the
 `kdump_len` bytes at `kdump`.

 `work`, of `work_len` bytes (see `kcap_kdump_work`) and aligned to 8, and what `inputs` point at are used for as long as the
 object is; `inputs` themselves are not. `flags`: 0 or `KCAP_KDUMP_GAPS`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `kdump`, or for `work`), `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (no
 kdump-compressed file; "missing part": a file of the set was not given, `value` has its first page frame), `KCAP_ERR_CORRUPT`
 (headers that make no sense, files of different dumps), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_init(struct kcap_kdump *kdump,
                            size_t kdump_len,
                            const struct kcap_read_at *const *inputs,
                            size_t input_count,
                            uint32_t flags,
                            void *work,
                            size_t work_len,
                            struct kcap_error *error);

/* The data model of the program that wrote a file: 64-bit `long`. */
#define KCAP_MODEL_LP64 0

/* 32-bit `long`, 64-bit integers aligned to 8 bytes, `struct timeval` of 8 bytes. */
#define KCAP_MODEL_ILP32 1

/* As `KCAP_MODEL_ILP32`, with a `struct timeval` of 16 bytes. */
#define KCAP_MODEL_ILP32_TIME64 2

/* 32-bit `long`, 64-bit integers aligned to 4 bytes, `struct timeval` of 8 bytes. */
#define KCAP_MODEL_I386 3

/* As `KCAP_MODEL_I386`, with a `struct timeval` of 16 bytes. */
#define KCAP_MODEL_I386_TIME64 4

/* `kcap_kdump_header.status`: the dump was cut short. */
#define KCAP_KDUMP_INCOMPLETE 8

/* `kcap_kdump_header.status`: pages of `vmemmap` that describe only excluded pages were left out. */
#define KCAP_KDUMP_EXCLUDED_VMEMMAP 0x10

/* What the headers of a kdump-compressed file say; of a split set, those of its first file. Set `size` before the call. */
typedef struct kcap_kdump_header {
  /* `sizeof(kcap_kdump_header)`. */
  size_t size;
  /* The number of page frames that the bitmaps describe: all of the dump are below it. */
  uint64_t max_mapnr;
  /* When the kernel crashed, in seconds since 1970. */
  int64_t timestamp_sec;
  /* And microseconds; makedumpfile writes 0. */
  int64_t timestamp_usec;
  /* The kernel's `phys_base` as a two's complement number. QEMU writes a wrong one. */
  uint64_t phys_base;
  /* Where bitmap 1 (page frames that the machine had) starts in each file, in bytes. */
  uint64_t bitmap_1;
  /* Where bitmap 2 (page frames that were dumped) starts in each file, in bytes. */
  uint64_t bitmap_2;
  /* The size of each bitmap, in bytes. */
  uint64_t bitmap_len;
  /* Where the page descriptors start in each file, in bytes. */
  uint64_t page_descs;
  /* The number of files. */
  uint64_t parts;
  /* The version of the file's structures, 1 to 6. */
  uint32_t header_version;
  /* A `KCAP_COMPRESSION_` number (what was asked for: single pages may be stored raw), and `KCAP_KDUMP_` bits of all files. */
  uint32_t status;
  /* The page size of the dumped machine, in bytes. */
  uint32_t block_size;
  /* The size of sub-header and notes together, in blocks. */
  uint32_t sub_hdr_size;
  /* The size of both bitmaps together, in blocks. */
  uint32_t bitmap_blocks;
  /* The number of CPUs that left an `NT_PRSTATUS` note. */
  uint32_t nr_cpus;
  /* The dump level: `KCAP_LEVEL_` bits of what was left out. */
  uint32_t dump_level;
  /* 1 if the file is one of a split set. */
  uint32_t split;
  /* The byte order of the program that wrote the file: 1 for big-endian, 0 for little-endian. */
  uint32_t big_endian;
  /* The bits of its `long`: 32 or 64. */
  uint32_t bits;
  /* Its data model, a `KCAP_MODEL_` number. */
  uint32_t model;
  /* `total_ram_blocks`; 0 in kdump files. */
  uint32_t total_ram_blocks;
  /* `device_blocks`; 0 in kdump files. */
  uint32_t device_blocks;
  /* `written_blocks`; 0 in kdump files. */
  uint32_t written_blocks;
  /* `current_cpu`; 0 in kdump files. */
  uint32_t current_cpu;
  /* The dumped kernel's name. QEMU fills in the machine only. */
  struct kcap_utsname utsname;
  /* 0. */
  uint8_t reserved[6];
} kcap_kdump_header;

/*
 Writes what the headers of `kdump` say to `header`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kdump_get_header(const struct kcap_kdump *kdump, struct kcap_kdump_header *header);

/* A region of one file of a set. */
typedef struct kcap_kdump_region {
  /* Where it starts, in bytes from the start of the file. */
  uint64_t offset;
  /* Its size in bytes. */
  uint64_t len;
  /* The number of the file, in the order of page frames. */
  uint64_t part;
} kcap_kdump_region;

/* The contents of the `PT_NOTE` segment. */
#define KCAP_KDUMP_NOTES 0

/* The VMCOREINFO text, which is also part of the notes. */
#define KCAP_KDUMP_VMCOREINFO 1

/* The text that says what was erased. */
#define KCAP_KDUMP_ERASEINFO 2

/*
 Writes where the region `which`, one of the three above, stands to `region`.

 Errors: `KCAP_ERR_NOT_FOUND` where the dump has none, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_get_region(const struct kcap_kdump *kdump,
                                  uint32_t which,
                                  struct kcap_kdump_region *region);

/* One file of a set. Set `size` before the call. */
typedef struct kcap_kdump_part {
  /* `sizeof(kcap_kdump_part)`. */
  size_t size;
  /* The input that `kcap_kdump_init` was given for it. */
  const struct kcap_read_at *input;
  /* The page frames whose pages it holds. A file without any has its start at `max_mapnr`. */
  struct kcap_pfn_range pfns;
  /* `phys_base` of its own sub-header. */
  uint64_t phys_base;
  /* `start_pfn` as its own sub-header has it. */
  uint64_t start_pfn;
  /* `end_pfn` as its own sub-header has it. */
  uint64_t end_pfn;
  /* `max_mapnr` as its own sub-header has it. */
  uint64_t max_mapnr;
  /* The VMCOREINFO text, all zero where it has none; `part` is `index`. */
  struct kcap_kdump_region vmcoreinfo;
  /* The notes, as above. */
  struct kcap_kdump_region notes;
  /* What says what was erased, as above. */
  struct kcap_kdump_region eraseinfo;
  /* `dump_level` of its own sub-header. */
  uint32_t dump_level;
  /* `split` of its own sub-header: 1 or 0. */
  uint32_t split;
} kcap_kdump_part;

/*
 Writes what is known of file number `index`, in the order of page frames, to `part`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kdump_get_part(const struct kcap_kdump *kdump, size_t index, struct kcap_kdump_part *part);

/*
 Writes the first run of page frames at or above `from` that the machine had (bitmap 1) to `run`. `error` may be NULL.

 Errors: `KCAP_END` if there are no more, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_next_known(struct kcap_kdump *kdump,
                                  uint64_t from,
                                  struct kcap_pfn_range *run,
                                  struct kcap_error *error);

/*
 Writes the first run of page frames at or above `from` that were dumped (bitmap 2) to `run`. `error` may be NULL.

 Errors: `KCAP_END` if there are no more, `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_next_held(struct kcap_kdump *kdump,
                                 uint64_t from,
                                 struct kcap_pfn_range *run,
                                 struct kcap_error *error);

/*
 Writes the number of dumped page frames below `pfn` to `count`; `UINT64_MAX` asks for all. `error` may be NULL.

 Errors: `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_held_below(struct kcap_kdump *kdump,
                                  uint64_t pfn,
                                  uint64_t *count,
                                  struct kcap_error *error);

/* The descriptor of one dumped page. */
typedef struct kcap_page_desc {
  /* Where the page's data start, in bytes from the start of the file. */
  uint64_t offset;
  /* The size of the data in bytes, packed. */
  uint32_t size;
  /* A `KCAP_COMPRESSION_` number. */
  uint32_t flags;
  /* Meant for the kernel's page flags; every known writer puts 0. */
  uint64_t page_flags;
} kcap_page_desc;

/*
 Writes the descriptor of page `pfn` to `desc`, and the number of the file that has its data to `part`. `error` may be
 NULL.

 Errors: `KCAP_ERR_NOT_FOUND` (the page was not dumped), `KCAP_ERR_CORRUPT` and `KCAP_ERR_UNSUPPORTED` (of this page alone; "page
 data": it was to be dumped and its data are not there), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_get_page_desc(struct kcap_kdump *kdump,
                                     uint64_t pfn,
                                     size_t *part,
                                     struct kcap_page_desc *desc,
                                     struct kcap_error *error);

/*
 Fills the `len` bytes at `buf` with bytes of file number `part`, as they are: a page's packed data, or a region. What
 `buf` holds after an error is unspecified. `error` may be NULL.

 Errors: `KCAP_ERR_CORRUPT` (the file ends before, or there is no such file), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_read(const struct kcap_kdump *kdump,
                            size_t part,
                            uint64_t offset,
                            uint8_t *buf,
                            size_t len,
                            struct kcap_error *error);

/* The joining of a split set into one version 6 file. Pages are copied as they are, packed. */
typedef struct kcap_kdump_join kcap_kdump_join;

/* The size of a `kcap_kdump_join`, in bytes. */
size_t kcap_kdump_join_size(void);

/* What the address of a `kcap_kdump_join` must be a multiple of. */
size_t kcap_kdump_join_align(void);

/*
 Prepares to join the files of `kdump`, in the `join_len` bytes at `join`.

 `work`, of `work_len` bytes (`kcap_kdump_work` of the number of files) and aligned to 8, and the inputs of `kdump` are used for
 as long as the object is; `kdump` itself is not. `error` may be NULL.

 Errors: those of `kcap_kdump_init`.
 */
kcap_status kcap_kdump_join_init(struct kcap_kdump_join *join,
                                 size_t join_len,
                                 const struct kcap_kdump *kdump,
                                 void *work,
                                 size_t work_len,
                                 struct kcap_error *error);

/*
 Reads or writes at most `buf_len` bytes, through `buf` of 464 bytes at least. `KCAP_OK`: call again; `KCAP_END`: the output is
 whole.

 `output` must read as zero where nothing is written, as a new file does; the headers are written last. A failed step may
 be tried again. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_CORRUPT` (the input ends in a bitmap, the notes or the data),
 `KCAP_ERR_UNSUPPORTED` (the sizes do not fit in the format), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_join_step(struct kcap_kdump_join *join,
                                 const struct kcap_write_at *output,
                                 uint8_t *buf,
                                 size_t buf_len,
                                 struct kcap_error *error);

/* How far joining is. Set `size` before the call. */
typedef struct kcap_join_progress {
  /* `sizeof(kcap_join_progress)`. */
  size_t size;
  /* Bytes copied. */
  uint64_t done;
  /* Bytes to copy; 0 until every descriptor was looked at. */
  uint64_t total;
  /* 1 if pages are lost, as known so far. */
  uint32_t incomplete;
  /* 0. */
  uint32_t reserved;
} kcap_join_progress;

/*
 Writes how far joining is to `progress`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kdump_join_get_progress(const struct kcap_kdump_join *join,
                                         struct kcap_join_progress *progress);

/*
 ====================================================================================================
 The headers of kdump-compressed files as bytes.
 ====================================================================================================
 */

/*
 The data model in which to write the dump of a machine, a `KCAP_MODEL_` number: its own, with the `struct timeval` that readers
 expect. `KCAP_MODEL_LP64` where `bits` is not 32.
 */
uint32_t kcap_kdump_model(uint32_t e_machine,
                          uint32_t bits);

/* Where the pieces of a kdump-compressed file are to stand, in bytes from its start. */
typedef struct kcap_kdump_places {
  /* Where the sub-header starts. */
  uint64_t sub_header;
  /* Where the notes start: directly after the sub-header. */
  uint64_t notes;
  /* Where bitmap 1 starts (page frames that the machine had). */
  uint64_t bitmap_1;
  /* Where bitmap 2 starts (page frames that are dumped). */
  uint64_t bitmap_2;
  /* The size of each bitmap. */
  uint64_t bitmap_len;
  /* Where the page descriptors start. */
  uint64_t page_descs;
  /* Where the first byte of the pages' data goes. */
  uint64_t data;
  /* The size of sub-header and notes together, in blocks. */
  uint32_t sub_hdr_size;
  /* The size of both bitmaps together, in blocks. */
  uint32_t bitmap_blocks;
} kcap_kdump_places;

/*
 Writes where the pieces of a version 6 file for `max_mapnr` page frames, `notes_len` bytes of notes and `held` dumped pages stand to
 `places`. `error` may be NULL.

 Errors: `KCAP_ERR_UNSUPPORTED` (the format cannot say it), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kdump_get_places(uint32_t model,
                                  uint64_t page_size,
                                  uint64_t max_mapnr,
                                  uint64_t notes_len,
                                  uint64_t held,
                                  struct kcap_kdump_places *places,
                                  struct kcap_error *error);

/*
 Writes the main header to the front of the `buf_len` bytes at `buf`, and its length, at most 464 bytes, to `len`. `error` may be
 NULL.

 Of `header`, `header_version`, `status`, `block_size`, the counts, the time, `utsname`, `big_endian` and `model` are written;
 `max_mapnr` as far as 32 bits go.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (the time does not fit),
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kdump_header_encode(const struct kcap_kdump_header *header,
                                     uint8_t *buf,
                                     size_t buf_len,
                                     size_t *len,
                                     struct kcap_error *error);

/*
 Writes the sub-header, in version 6, to the front of the `buf_len` bytes at `buf`, and its length, at most 104 bytes, to `len`.
 `error` may be NULL.

 Of `part`, all but `input` and `pfns` is written, and of its regions what the format has: offset and length.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (what does not fit in a 32-bit `long`),
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kdump_sub_header_encode(const struct kcap_kdump_part *part,
                                         uint32_t big_endian,
                                         uint32_t model,
                                         uint8_t *buf,
                                         size_t buf_len,
                                         size_t *len,
                                         struct kcap_error *error);

/* The size of a page descriptor in the file, in bytes. */
#define KCAP_PAGE_DESC_LEN 24

/*
 Writes the page descriptor `desc` to the front of the `buf_len` bytes at `buf`: `KCAP_PAGE_DESC_LEN` of them. `error` may be
 NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_page_desc_encode(const struct kcap_page_desc *desc,
                                  uint32_t big_endian,
                                  uint8_t *buf,
                                  size_t buf_len,
                                  struct kcap_error *error);

/*
 Reads the page descriptor at the front of the `len` bytes at `bytes` to `desc`, as it is. `error` may be NULL.

 Errors: `KCAP_ERR_CORRUPT` (`bytes` end early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_page_desc_parse(const uint8_t *bytes,
                                 size_t len,
                                 uint32_t big_endian,
                                 struct kcap_page_desc *desc,
                                 struct kcap_error *error);

/*
 ====================================================================================================
 Notes of a dump: found one after the other, and read.
 ====================================================================================================
 */

/* Another note; copy it or skip it. */
#define KCAP_NOTE_OTHER 0

/* A CPU's registers: "CORE", `NT_PRSTATUS`. See `kcap_prstatus_parse`. */
#define KCAP_NOTE_PRSTATUS 1

/* The kernel's facts about itself: "VMCOREINFO". See `kcap_vmcoreinfo_init`. */
#define KCAP_NOTE_VMCOREINFO 2

/* The same of the Xen hypervisor: `VMCOREINFO_XEN`. */
#define KCAP_NOTE_VMCOREINFO_XEN 3

/* Facts about the Xen hypervisor. See `kcap_xen_crash_info_parse`. */
#define KCAP_NOTE_XEN_CRASH_INFO 4

/* A CPU's control registers under Xen. See `kcap_xen_crash_regs_parse`. */
#define KCAP_NOTE_XEN_CRASH_REGS 5

/* A virtual CPU's state: "QEMU", type 0. See `kcap_qemu_cpu_state_parse`. */
#define KCAP_NOTE_QEMU_CPU_STATE 6

/* A device driver's dump: "LINUX", `NT_VMCOREDD`. See `kcap_notes_get_device_dump`. */
#define KCAP_NOTE_DEVICE_DUMP 7

/* makedumpfile's log of erased data, text: "ERASEINFO". */
#define KCAP_NOTE_ERASEINFO 8

/* The memory map that the header was made of: "KCAPTURE", `KCAP_NT_MAP_NOTE`. See `kcap_map_note_parse`. */
#define KCAP_NOTE_MAP_VERSION 9

/* A walk over the notes of a dump, in file order. */
typedef struct kcap_notes kcap_notes;

/* The size of a `kcap_notes`, in bytes. */
size_t kcap_notes_size(void);

/* What the address of a `kcap_notes` must be a multiple of. */
size_t kcap_notes_align(void);

/*
 Starts before the first note of `core`, whose input and table are used for as long as the object is, in the `notes_len` bytes
 at `notes`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_notes_init_elf(struct kcap_notes *notes,
                                size_t notes_len,
                                const struct kcap_elf_core *core,
                                struct kcap_error *error);

/*
 Starts before the first note of `kdump`, whose inputs are used for as long as the object is, in the `notes_len` bytes at
 `notes`. Files before version 4 have none. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_notes_init_kdump(struct kcap_notes *notes,
                                  size_t notes_len,
                                  const struct kcap_kdump *kdump,
                                  struct kcap_error *error);

/*
 Starts before the first note in the `len` bytes that start `offset` bytes into `input`, which is used for as long as the object
 is, in the `notes_len` bytes at `notes`. `align` is `p_align` of the `PT_NOTE`, 0 if unknown. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_notes_init_region(struct kcap_notes *notes,
                                   size_t notes_len,
                                   const struct kcap_read_at *input,
                                   uint64_t offset,
                                   uint64_t len,
                                   uint64_t align,
                                   uint32_t big_endian,
                                   struct kcap_error *error);

/* Bytes of the name in a `kcap_note`, its NUL among them. */
#define KCAP_NOTE_NAME_LEN 24

/* One note: its header, and where its descriptor stands. */
typedef struct kcap_note {
  /* Where the note's header starts, in bytes from the start of the file. */
  uint64_t offset;
  /* Where the descriptor starts, in bytes from the start of the file. */
  uint64_t desc_offset;
  /* `n_descsz`: the length of the descriptor in bytes. */
  uint32_t desc_len;
  /* `n_type`, whose meaning depends on the name. */
  uint32_t n_type;
  /* `n_namesz`: the length of the name with its NUL, in bytes. */
  uint32_t n_namesz;
  /* What the note is: one of the `KCAP_NOTE_` numbers. */
  uint32_t kind;
  /* The name, cut after 16 characters; `n_namesz` tells whether it was. */
  char name[KCAP_NOTE_NAME_LEN];
} kcap_note;

/*
 Goes to the next note and writes it to `note`. `error` may be NULL.

 After an error the walk goes on with the next region of notes, if there is one: call until `KCAP_END`.

 Errors: `KCAP_END` after the last note, `KCAP_ERR_CORRUPT`, `KCAP_ERR_UNSUPPORTED`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_notes_next(struct kcap_notes *notes,
                            struct kcap_note *note,
                            struct kcap_error *error);

/*
 Reads the descriptor of the note that the walk stands at, `desc_len` bytes, to the front of the `buf_len` bytes at `buf`,
 whose content is unspecified after an error. `error` may be NULL.

 Errors: `KCAP_ERR_STATE` (before the first and after the last note), `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_CORRUPT` (the file
 ends before), `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_notes_read(const struct kcap_notes *notes,
                            uint8_t *buf,
                            size_t buf_len,
                            struct kcap_error *error);

/* A device driver's dump. Its data may be hundreds of MiB and stay in the file. */
typedef struct kcap_device_dump {
  /* Where the data starts, in bytes from the start of the file. */
  uint64_t data_offset;
  /* The length of the data in bytes. */
  uint32_t data_len;
  /* What the driver calls the dump. */
  char name[44];
} kcap_device_dump;

/*
 Writes the head of the device dump that the walk stands at to `dump`. `error` may be NULL.

 Errors: `KCAP_ERR_STATE` (before the first and after the last note), `KCAP_ERR_NOT_FOUND` (the note is no device dump),
 `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_notes_get_device_dump(const struct kcap_notes *notes,
                                       struct kcap_device_dump *dump,
                                       struct kcap_error *error);

/*
 ====================================================================================================
 The descriptors of notes: registers of CPUs, what Xen and QEMU say.
 ====================================================================================================
 */

/* The layout of a machine's `struct elf_prstatus`. */
typedef struct kcap_prstatus_layout {
  /* The length of the structure in bytes. */
  uint64_t len;
  /* Where `pr_reg` starts in it, in bytes. */
  uint64_t reg_offset;
  /* The length of `pr_reg` in bytes. */
  uint64_t reg_len;
  /* The bits of the machine's `long`, which those of the dump's ELF class need not be: 32 or 64. */
  uint32_t bits;
  /* 0. */
  uint32_t reserved;
} kcap_prstatus_layout;

/*
 Writes the layout of `struct elf_prstatus` on the machine `e_machine` (a `KCAP_EM_` number) to `found`; `bits` decides where the
 number stands for two machines. `error` may be NULL.

 Errors: `KCAP_ERR_UNSUPPORTED` (the machine), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_prstatus_get_layout(uint32_t e_machine,
                                     uint32_t bits,
                                     struct kcap_prstatus_layout *found,
                                     struct kcap_error *error);

/* As `kcap_prstatus_get_layout`, of a descriptor of `desc_len` bytes, which decides where the number stands for two machines. */
kcap_status kcap_prstatus_get_layout_of_desc(uint32_t e_machine,
                                             size_t desc_len,
                                             struct kcap_prstatus_layout *found,
                                             struct kcap_error *error);

/* A CPU's registers when the machine crashed, as its `NT_PRSTATUS` note holds them. */
typedef struct kcap_prstatus {
  /* `pr_reg`: the general registers in the machine's order and byte order, inside the descriptor. */
  const uint8_t *pr_reg;
  /* The number of bytes at `pr_reg`. */
  size_t pr_reg_len;
  /* `pr_pid`: the task that ran, 0 for the idle task; QEMU says the CPU's number plus one. */
  int32_t pr_pid;
  /* `pr_cursig`: the current signal; 0 in a crash dump. */
  uint32_t pr_cursig;
} kcap_prstatus;

/*
 Reads the descriptor of an `NT_PRSTATUS` note, the `len` bytes at `desc`, of a dump with this `e_machine` to `status`.
 `error` may be NULL.

 Errors: `KCAP_ERR_UNSUPPORTED` (the machine), `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`,
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_prstatus_parse(const uint8_t *desc,
                                size_t len,
                                uint32_t e_machine,
                                uint32_t big_endian,
                                struct kcap_prstatus *status,
                                struct kcap_error *error);

/*
 Writes the descriptor of an `NT_PRSTATUS` note of the machine `e_machine` to the front of the `buf_len` bytes at `buf`, and its
 length to `len`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_UNSUPPORTED` (the machine, or another length of `pr_reg`),
 `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_prstatus_encode(const struct kcap_prstatus *status,
                                 uint32_t e_machine,
                                 uint32_t big_endian,
                                 uint32_t bits,
                                 uint8_t *buf,
                                 size_t buf_len,
                                 size_t *len,
                                 struct kcap_error *error);

/* The registers of an x86_64 CPU, as `struct user_regs_struct` has them. */
typedef struct kcap_x86_64_registers {
  uint64_t r15;
  uint64_t r14;
  uint64_t r13;
  uint64_t r12;
  uint64_t rbp;
  uint64_t rbx;
  uint64_t r11;
  uint64_t r10;
  uint64_t r9;
  uint64_t r8;
  uint64_t rax;
  uint64_t rcx;
  uint64_t rdx;
  uint64_t rsi;
  uint64_t rdi;
  uint64_t orig_rax;
  uint64_t rip;
  uint64_t cs;
  uint64_t eflags;
  uint64_t rsp;
  uint64_t ss;
  uint64_t fs_base;
  uint64_t gs_base;
  uint64_t ds;
  uint64_t es;
  uint64_t fs;
  uint64_t gs;
} kcap_x86_64_registers;

/*
 Reads `pr_reg` of an x86_64 CPU, the `len` bytes at `pr_reg`, to `registers`. `error` may be NULL.

 Errors: `KCAP_ERR_CORRUPT` (it ends early), `KCAP_ERR_NULL`.
 */
kcap_status kcap_x86_64_registers_parse(const uint8_t *pr_reg,
                                        size_t len,
                                        struct kcap_x86_64_registers *registers,
                                        struct kcap_error *error);

/*
 Writes `registers` as `pr_reg`, 216 bytes, to the front of the `buf_len` bytes at `buf`, and their number to `len`. `error`
 may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_x86_64_registers_encode(const struct kcap_x86_64_registers *registers,
                                         uint8_t *buf,
                                         size_t buf_len,
                                         size_t *len,
                                         struct kcap_error *error);

/* A segment register with its hidden part. */
typedef struct kcap_qemu_segment {
  /* The base, a linear address. */
  uint64_t base;
  /* The selector. */
  uint32_t selector;
  /* The limit in bytes. */
  uint32_t limit;
  /* The descriptor's flags. */
  uint32_t flags;
  /* 0. */
  uint32_t reserved;
} kcap_qemu_segment;

/* A virtual CPU's state as QEMU adds it to a dump of an x86 guest. */
typedef struct kcap_qemu_cpu_state {
  /* rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8 to r15. */
  uint64_t general[16];
  /* The instruction pointer. */
  uint64_t rip;
  /* The flags register. */
  uint64_t rflags;
  /* cs, ds, es, fs, gs, ss. */
  struct kcap_qemu_segment segments[6];
  /* The local descriptor table. */
  struct kcap_qemu_segment ldt;
  /* The task register. */
  struct kcap_qemu_segment tr;
  /* The global descriptor table. */
  struct kcap_qemu_segment gdt;
  /* The interrupt descriptor table. */
  struct kcap_qemu_segment idt;
  /* cr0 to cr4; cr1 is unused. */
  uint64_t cr[5];
  /* The kernel's gs base while in user mode, if `has_kernel_gs_base`. */
  uint64_t kernel_gs_base;
  /* 1 if `kernel_gs_base` is known: not from QEMU before 3.0. */
  uint32_t has_kernel_gs_base;
  /* 0. */
  uint32_t reserved;
} kcap_qemu_cpu_state;

/*
 Reads the descriptor of a "QEMU" note, the `len` bytes at `desc`, to `state`. `error` may be NULL.

 Errors: `KCAP_ERR_UNSUPPORTED` (another version than 1), `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`,
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_qemu_cpu_state_parse(const uint8_t *desc,
                                      size_t len,
                                      uint32_t big_endian,
                                      struct kcap_qemu_cpu_state *state,
                                      struct kcap_error *error);

/* What the Xen hypervisor says about itself. Texts are at physical addresses. */
typedef struct kcap_xen_crash_info {
  /* Xen's major version. */
  uint64_t major_version;
  /* Xen's minor version. */
  uint64_t minor_version;
  /* Where the text after the version numbers stands. */
  uint64_t extra_version;
  /* Where the text that names the source revision stands. */
  uint64_t changeset;
  /* Where the text that names the compiler stands. */
  uint64_t compiler;
  /* Where the text that says on which day Xen was built stands. */
  uint64_t compile_date;
  /* Where the text that says at which time stands. */
  uint64_t compile_time;
  /* Taint bits of the hypervisor. */
  uint64_t tainted;
  /* The physical address at which Xen was loaded, if `has_xen_phys_start`. */
  uint64_t xen_phys_start;
  /* The machine frame of the list of lists of dom0's frames, if `has_frame_list_list`. */
  uint64_t dom0_pfn_to_mfn_frame_list_list;
  /* 1 or 0. */
  uint32_t has_xen_phys_start;
  /* 1 or 0. */
  uint32_t has_frame_list_list;
} kcap_xen_crash_info;

/*
 Reads the descriptor of a "Xen" note of type `KCAP_XEN_ELFNOTE_CRASH_INFO`, the `len` bytes at `desc`, to `info`. `error` may be
 NULL.

 Errors: `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_xen_crash_info_parse(const uint8_t *desc,
                                      size_t len,
                                      uint32_t big_endian,
                                      uint32_t bits,
                                      struct kcap_xen_crash_info *info,
                                      struct kcap_error *error);

/* A CPU's control registers under Xen on x86. */
typedef struct kcap_xen_crash_regs {
  /* CR0. */
  uint64_t cr0;
  /* CR2, a virtual address. */
  uint64_t cr2;
  /* CR3, a physical address and flags. */
  uint64_t cr3;
  /* CR4. */
  uint64_t cr4;
} kcap_xen_crash_regs;

/*
 Reads the descriptor of a "Xen" note of type `KCAP_XEN_ELFNOTE_CRASH_REGS`, the `len` bytes at `desc`, to `regs`. `error` may be
 NULL.

 Errors: `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_xen_crash_regs_parse(const uint8_t *desc,
                                      size_t len,
                                      uint32_t big_endian,
                                      uint32_t bits,
                                      struct kcap_xen_crash_regs *regs,
                                      struct kcap_error *error);

/*
 ====================================================================================================
 Notes as bytes.
 ====================================================================================================
 */

/* `n_type` of a CPU's registers (name "CORE"). */
#define KCAP_NT_PRSTATUS 1

/* `n_type` of a device driver's dump (name "LINUX"). */
#define KCAP_NT_VMCOREDD 0x700

/* `n_type` of the hypervisor's facts (name "Xen"). */
#define KCAP_XEN_ELFNOTE_CRASH_INFO 0x1000001

/* `n_type` of a CPU's control registers (name "Xen"). */
#define KCAP_XEN_ELFNOTE_CRASH_REGS 0x1000002

/*
 The length of a note of this name and of a descriptor of `desc_len` bytes, in bytes: a multiple of 4. 0 for NULL, and for
 what is too large for a note.
 */
uint64_t kcap_note_encoded_len(const char *name,
                               uint32_t desc_len);

/* The length of a note of this name up to its descriptor, in bytes; 0 for NULL. */
size_t kcap_note_head_len(const char *name);

/* How many zero bytes follow a descriptor of `desc_len` bytes: 0 to 3. */
size_t kcap_note_padding(uint32_t desc_len);

/*
 Writes a whole note, whose descriptor are the `desc_len` bytes at `desc`, to the front of the `buf_len` bytes at `buf`, and
 its length to `len`. `name` is NUL-terminated. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_UNSUPPORTED` (4 GiB), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_note_encode(const char *name,
                             uint32_t n_type,
                             const uint8_t *desc,
                             size_t desc_len,
                             uint32_t big_endian,
                             uint8_t *buf,
                             size_t buf_len,
                             size_t *len,
                             struct kcap_error *error);

/*
 Writes a note up to its descriptor to the front of the `buf_len` bytes at `buf`, and the length of that to `len`. `desc_len` bytes
 and `kcap_note_padding` zeros are to follow: so is a descriptor written that does not fit in memory. `error` may be NULL.

 Errors: as of `kcap_note_encode`.
 */
kcap_status kcap_note_encode_head(const char *name,
                                  uint32_t n_type,
                                  uint32_t desc_len,
                                  uint32_t big_endian,
                                  uint8_t *buf,
                                  size_t buf_len,
                                  size_t *len,
                                  struct kcap_error *error);

/* Bytes of the name that a device dump's descriptor starts with. */
#define KCAP_DEVICE_DUMP_NAME_LEN 44

/*
 Writes `name` as the descriptor of a device dump starts with it to the `KCAP_DEVICE_DUMP_NAME_LEN` bytes at `buf`: cut after 43 bytes,
 padded with NULs.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_device_dump_name_encode(const char *name,
                                         uint8_t *buf,
                                         size_t buf_len);

/*
 ====================================================================================================
 The memory of the crashed machine, whatever it is read from.
 ====================================================================================================
 */

/*
 Bytes of the crashed machine, by physical address: of an ELF core, of a kdump-compressed file, of regions of the
 caller's own memory, or of the caller's callbacks.

 One thread at a time; every thread makes one of its own, by `kcap_memory_init_again`.
 */
typedef struct kcap_memory kcap_memory;

/* The size of a `kcap_memory`, in bytes. */
size_t kcap_memory_size(void);

/* What the address of a `kcap_memory` must be a multiple of. */
size_t kcap_memory_align(void);

/* The memory that `kcap_memory_init_elf` needs for `core`, in bytes; 0 for NULL. */
size_t kcap_memory_elf_work(const struct kcap_elf_core *core);

/*
 The memory that `core` holds, in the `memory_len` bytes at `memory`. Where `PT_LOAD`s overlap the first in file order counts;
 bytes of a page that no `PT_LOAD` has read as zero if it has others.

 `page_size` is the page size of the crashed machine (`kcap_source_facts` has it). `work`, of `work_len` bytes (see
 `kcap_memory_elf_work`) and aligned to 8, and the input and table of `core` are used for as long as the object is; `core` itself
 is not. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`, or for `work`), `KCAP_ERR_INVALID` (page size), `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_init_elf(struct kcap_memory *memory,
                                 size_t memory_len,
                                 const struct kcap_elf_core *core,
                                 uint64_t page_size,
                                 void *work,
                                 size_t work_len,
                                 struct kcap_error *error);

/* The memory that `kcap_memory_init_kdump` is best given for `kdump`, in bytes; 0 for NULL. */
size_t kcap_memory_kdump_work(const struct kcap_kdump *kdump);

/*
 The memory that `kdump` holds, in the `memory_len` bytes at `memory`.

 `work`, of `work_len` bytes (see `kcap_memory_kdump_work`) and aligned to 8, and the inputs of `kdump` are used for as long as the
 object is; `kdump` itself is not. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`; for `work`, at the least), those of `kcap_kdump_init`.
 */
kcap_status kcap_memory_init_kdump(struct kcap_memory *memory,
                                   size_t memory_len,
                                   const struct kcap_kdump *kdump,
                                   void *work,
                                   size_t work_len,
                                   struct kcap_error *error);

/* Memory of the crashed machine that lies in the caller's own. */
typedef struct kcap_memory_region {
  /* The physical address of the first byte. */
  uint64_t start;
  /* The bytes. May be NULL if `len` is 0. */
  const uint8_t *bytes;
  /* The number of bytes. */
  size_t len;
} kcap_memory_region;

/* The memory that `kcap_memory_init_regions` needs for `count` regions, in bytes. */
size_t kcap_memory_regions_work(size_t count);

/*
 The memory that the `count` regions at `regions` are, in the `memory_len` bytes at `memory`: a hypervisor's guest, a
 firmware's system. They stand in ascending order and do not overlap. Bytes of a page that no region has read as zero if it
 has others.

 `work`, of `work_len` bytes (see `kcap_memory_regions_work`) and aligned to 8, and the regions' bytes are used for as long as the
 object is; `regions` itself is not. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`, or for `work`), `KCAP_ERR_INVALID` (page size),
 `KCAP_ERR_CORRUPT` (the regions' order), `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_init_regions(struct kcap_memory *memory,
                                     size_t memory_len,
                                     const struct kcap_memory_region *regions,
                                     size_t count,
                                     uint64_t page_size,
                                     void *work,
                                     size_t work_len,
                                     struct kcap_error *error);

/*
 The memory that the caller's `callbacks` read, which are copied, in the `memory_len` bytes at `memory`. `error` may be
 NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID` (page size), `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_init_callbacks(struct kcap_memory *memory,
                                       size_t memory_len,
                                       const struct kcap_phys_memory *callbacks,
                                       struct kcap_error *error);

/* The memory that `kcap_memory_init_again` is best given for `memory`, in bytes: 0 but for kdump-compressed files. */
size_t kcap_memory_again_work(const struct kcap_memory *memory);

/*
 Another reader of what `other` reads, for another thread, in the `memory_len` bytes at `memory`.

 `work`, of `work_len` bytes (see `kcap_memory_again_work`) and aligned to 8, and what `other` was made from are used for as long as
 the object is; `other` itself is not (but the `work` of one that reads an ELF core or regions is). `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `memory`; for `work`, at the least), those of `kcap_kdump_init`.
 */
kcap_status kcap_memory_init_again(struct kcap_memory *memory,
                                   size_t memory_len,
                                   const struct kcap_memory *other,
                                   void *work,
                                   size_t work_len,
                                   struct kcap_error *error);

/* The page size of the crashed machine in bytes; 0 for NULL. */
uint64_t kcap_memory_page_size(const struct kcap_memory *memory);

/*
 The page frame after the highest one that `memory` has: of an ELF core and of regions; `max_mapnr` of a kdump-compressed file.
 0 where only asking tells it, of the caller's callbacks, and for NULL.
 */
uint64_t kcap_memory_end(const struct kcap_memory *memory);

/*
 Fills the `len` bytes at `buf` with the bytes at physical address `addr`; they may span pages. What `buf` holds after an
 error is unspecified. `error` may be NULL.

 Errors, of the first page that has one: `KCAP_ERR_HOLE`, `KCAP_ERR_EXCLUDED`, `KCAP_ERR_LOST`, `KCAP_ERR_IO`;
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_read(struct kcap_memory *memory,
                             uint64_t addr,
                             uint8_t *buf,
                             size_t len,
                             struct kcap_error *error);

/*
 The `len` bytes at physical address `addr` in place, until the next use of `memory`; NULL where they are not in memory, or
 not together: read them then.
 */
const uint8_t *kcap_memory_bytes(const struct kcap_memory *memory,
                                 uint64_t addr,
                                 size_t len);

/*
 Writes the first run of page frames at or above `from` that the machine had, readable or not, to `run`. Neighbouring runs
 may come in pieces, never twice. `error` may be NULL.

 Errors: `KCAP_END` if there are no more; those of `kcap_memory_read` if the table of page frames cannot be read;
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_memory_next_known(struct kcap_memory *memory,
                                   uint64_t from,
                                   struct kcap_pfn_range *run,
                                   struct kcap_error *error);

/* As `kcap_memory_next_known`, for the page frames whose bytes are there to be read. */
kcap_status kcap_memory_next_held(struct kcap_memory *memory,
                                  uint64_t from,
                                  struct kcap_pfn_range *run,
                                  struct kcap_error *error);

/*
 ====================================================================================================
 What an input says about the machine it came from.
 ====================================================================================================
 */

/* Which kinds of pages a dump leaves out: makedumpfile's `-d` bits, with its meaning. */
typedef uint32_t kcap_level;

/* Zero pages. */
#define KCAP_LEVEL_ZERO 1

/* Cache pages without `PG_private`. */
#define KCAP_LEVEL_CACHE 2

/* All cache pages. Implies `KCAP_LEVEL_CACHE`. */
#define KCAP_LEVEL_CACHE_PRIVATE 4

/* User pages. */
#define KCAP_LEVEL_USER 8

/* Free pages. */
#define KCAP_LEVEL_FREE 16

/* All of them. */
#define KCAP_LEVEL_ALL 31

/*
 What an input says about the machine, and what its dump repeats.

 Threads may use one object at once: nothing of it changes after its init.
 */
typedef struct kcap_source kcap_source;

/* The size of a `kcap_source`, in bytes. */
size_t kcap_source_size(void);

/* What the address of a `kcap_source` must be a multiple of. */
size_t kcap_source_align(void);

/*
 What `core` says, in the `source_len` bytes at `source`.

 The VMCOREINFO is copied to the `text_len` bytes at `text` (a few KiB: 0x2000 do). `text` and the input and table of `core` are
 used for as long as the object is; `core` itself is not. Without VMCOREINFO the page size is taken to be 4 KiB. Notes that are
 corrupt end their region. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `source`, or for `text`), `KCAP_ERR_CORRUPT`, `KCAP_ERR_IO`,
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_source_init_elf(struct kcap_source *source,
                                 size_t source_len,
                                 const struct kcap_elf_core *core,
                                 uint8_t *text,
                                 size_t text_len,
                                 struct kcap_error *error);

/*
 What `kdump` says, in the `source_len` bytes at `source`.

 The VMCOREINFO is copied to the `text_len` bytes at `text` (a few KiB: 0x2000 do). `text` and the inputs of `kdump` are used
 for as long as the object is; `kdump` itself is not. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `source`, or for `text`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_source_init_kdump(struct kcap_source *source,
                                   size_t source_len,
                                   const struct kcap_kdump *kdump,
                                   uint8_t *text,
                                   size_t text_len,
                                   struct kcap_error *error);

/* What is known of a machine. Set `size` before the call. */
typedef struct kcap_source_facts {
  /* `sizeof(kcap_source_facts)`. */
  size_t size;
  /* The page size of the machine in bytes. */
  uint64_t page_size;
  /* The page frame after the highest one of memory: `max_mapnr`. */
  uint64_t end;
  /* The size of all notes, in bytes. */
  uint64_t notes_len;
  /* Where the VMCOREINFO text starts in the notes, in bytes. */
  uint64_t vmcoreinfo_offset;
  /* When the machine crashed, in seconds since 1970; 0 if unknown. */
  int64_t crash_time;
  /* `phys_base` of x86_64 as a two's complement number, 0 elsewhere. */
  uint64_t phys_base;
  /* The byte order of the machine: 1 for big-endian, 0 for little-endian. */
  uint32_t big_endian;
  /* The bits of an address in the input: 32 or 64. */
  uint32_t bits;
  /* The bits of the machine's `long`: 32-bit machines with much memory have 64-bit ELF headers. */
  uint32_t machine_bits;
  /* `KCAP_EM_` number, 0 if unknown. */
  uint32_t e_machine;
  /* `e_flags` of the input. */
  uint32_t e_flags;
  /* The number of CPUs that left an `NT_PRSTATUS` note. */
  uint32_t nr_cpus;
  /* `KCAP_LEVEL_` bits of what the input has left out already. */
  kcap_level left_out;
  /* 1 if the input says that it is not whole, or ends too early. */
  uint32_t incomplete;
  /* 1 if there is VMCOREINFO. */
  uint32_t has_vmcoreinfo;
  /* The number of the input's `PT_LOAD`s. */
  uint32_t loads;
  /* The kernel's name. */
  struct kcap_utsname utsname;
  /* 0. */
  uint8_t reserved[2];
} kcap_source_facts;

/*
 Writes what is known of the machine to `facts`. `error` may be NULL.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`, those of reading the program headers.
 */
kcap_status kcap_source_get_facts(const struct kcap_source *source,
                                  struct kcap_source_facts *facts,
                                  struct kcap_error *error);

/*
 Says that the input of `source` is not whole, where the caller knows it and the input does not: a flattened stream without its
 end (`kcap_flattened_facts.complete`), a file that was still being written. A dump of it is then marked as incomplete. Call it
 before `source` is used.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_source_set_incomplete(struct kcap_source *source);

/*
 Makes an object for the VMCOREINFO of `source`, whose `text` it uses, in the `info_len` bytes at `info`.

 Errors: `KCAP_ERR_NOT_FOUND` (there is none), `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_source_vmcoreinfo(const struct kcap_source *source,
                                   struct kcap_vmcoreinfo *info,
                                   size_t info_len);

/* The notes that a machine's own dump is to have: the `len` bytes that start `offset` bytes into `input`. */
typedef struct kcap_note_region {
  /* The file or memory that they stand in. */
  const struct kcap_read_at *input;
  /* Where they start, in bytes. */
  uint64_t offset;
  /* Their length in bytes. */
  uint64_t len;
  /* `p_align` of their `PT_NOTE`; 0 or 4 for those of `kcap_note_encode`. */
  uint64_t align;
} kcap_note_region;

/*
 A machine of which the caller knows the facts, as who dumps its own memory does; in the `source_len` bytes at `source`.

 Of `facts`, `bits` and `end` must be set. `page_size` 0, `crash_time` 0, `phys_base` 0, `nr_cpus` 0 and an empty `utsname.release`
 mean what VMCOREINFO and the notes say (the page size 4 KiB if they do not). `machine_bits`, `notes_len`,
 `vmcoreinfo_offset`, `has_vmcoreinfo` and `loads` are not looked at. `notes` may be NULL: there are none. `core`
 may be NULL: the dump is of no ELF core, whose `PT_LOAD`s an ELF dump would repeat.

 The VMCOREINFO of the notes is copied to the `text_len` bytes at `text`. `text`, the input of `notes`, and the input and table of
 `core` are used for as long as the object is. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `source`, or for `text`), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_source_init(struct kcap_source *source,
                             size_t source_len,
                             const struct kcap_source_facts *facts,
                             const struct kcap_note_region *notes,
                             const struct kcap_elf_core *core,
                             uint8_t *text,
                             size_t text_len,
                             struct kcap_error *error);

/*
 ====================================================================================================
 The crashed kernel: its virtual addresses, and what can be told of its pages.
 ====================================================================================================
 */

/*
 What is known of the crashed kernel, found through its VMCOREINFO.

 It keeps nothing that it was made of. One thread at a time.
 */
typedef struct kcap_kernel kcap_kernel;

/* The size of a `kcap_kernel`, in bytes. */
size_t kcap_kernel_size(void);

/* What the address of a `kcap_kernel` must be a multiple of. */
size_t kcap_kernel_align(void);

/*
 Finds the page tables and the mem_map of the kernel that `source` says of, reading `memory`; in the `kernel_len` bytes at
 `kernel`. `error` may be NULL.

 A mem_map that cannot be found is no error: virtual addresses can still be read, and `kcap_kernel_get_facts` says why.

 Errors, which each mean that no virtual address can be read (all memory can still be saved): `KCAP_ERR_NOT_FOUND` (no
 VMCOREINFO), `KCAP_ERR_UNSUPPORTED` (the machine), `KCAP_ERR_MISSING_KEY`, `KCAP_ERR_PAGE_TABLES`;
 `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kernel_init(struct kcap_kernel *kernel,
                             size_t kernel_len,
                             const struct kcap_source *source,
                             struct kcap_memory *memory,
                             struct kcap_error *error);

/*
 As `kcap_kernel_init`, of a VMCOREINFO and a machine by themselves. `core` may be NULL: its `PT_LOAD`s save page table
 walks.

 Errors: as there, and `KCAP_ERR_INVALID`.
 */
kcap_status kcap_kernel_init_vmcoreinfo(struct kcap_kernel *kernel,
                                        size_t kernel_len,
                                        const struct kcap_vmcoreinfo *info,
                                        uint32_t e_machine,
                                        uint32_t big_endian,
                                        uint32_t bits,
                                        const struct kcap_elf_core *core,
                                        struct kcap_memory *memory,
                                        struct kcap_error *error);

/* The mem_map was not found: `kcap_kernel_facts.no_mem_map` says why. */
#define KCAP_MEMORY_MODEL_NONE 0

/* One array of `struct page` for all page frames. */
#define KCAP_MEMORY_MODEL_FLAT 1

/* A static array of sections. */
#define KCAP_MEMORY_MODEL_SPARSE 2

/* Sections behind an array of pointers. */
#define KCAP_MEMORY_MODEL_SPARSE_EXTREME 3

/* There is a mem_map. */
#define KCAP_MEM_MAP_FOUND 0

/* VMCOREINFO lacks a key, or its value is out of bounds: `key` names it. */
#define KCAP_MEM_MAP_MISSING_KEY 1

/* `LENGTH(mem_section)`, in `value`, fits no memory model. */
#define KCAP_MEM_MAP_NO_MODEL 2

/* No section of the memory that exists has a readable mem_map. */
#define KCAP_MEM_MAP_NOT_CREDIBLE 3

/* Bytes of the name of a VMCOREINFO key, its NUL among them. */
#define KCAP_KEY_LEN 48

/* Why there is no mem_map. */
typedef struct kcap_no_mem_map {
  /* `LENGTH(mem_section)` where that is the reason. */
  uint64_t value;
  /* One of the `KCAP_MEM_MAP_` numbers. */
  uint32_t reason;
  /* 0. */
  uint32_t reserved;
  /* The key of VMCOREINFO where that is the reason; empty otherwise. */
  char key[KCAP_KEY_LEN];
} kcap_no_mem_map;

/* What is known of a kernel. Set `size` before the call. */
typedef struct kcap_kernel_facts {
  /* `sizeof(kcap_kernel_facts)`. */
  size_t size;
  /* The size of a `struct page` in bytes; 0 where there is no mem_map. */
  uint64_t struct_page_size;
  /* One of the `KCAP_MEMORY_MODEL_` numbers. */
  uint32_t memory_model;
  /* The byte order of the machine: 1 for big-endian, 0 for little-endian. */
  uint32_t big_endian;
  /* The bits of its `long`: 32 or 64. */
  uint32_t bits;
  /* The number of rules that are off: see `kcap_kernel_get_missing_rule`. */
  uint32_t missing_rules;
  /* Why there is no mem_map, where there is none: every page is kept then. */
  struct kcap_no_mem_map no_mem_map;
} kcap_kernel_facts;

/*
 Writes what is known of `kernel` to `facts`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kernel_get_facts(const struct kcap_kernel *kernel, struct kcap_kernel_facts *facts);

/* How many page frames a compound page has. Without it only the first frame of one is judged, the others are kept. */
#define KCAP_RULE_COMPOUND 0

/* Slab pages. Without it user pages cannot be told from slab pages. */
#define KCAP_RULE_SLAB 1

/* Page cache. Without it all cache is kept. */
#define KCAP_RULE_CACHE 2

/* Which cache pages have `PG_private`. Without it all cache counts as having it. */
#define KCAP_RULE_CACHE_PRIVATE 3

/* Pages of the swap cache that are on no LRU list. */
#define KCAP_RULE_SWAP_CACHE 4

/* Anonymous memory, KSM included. */
#define KCAP_RULE_USER 5

/* hugetlb pages. Kernels without hugetlbfs do not have the key. */
#define KCAP_RULE_HUGETLB 6

/* Pages on the buddy lists. */
#define KCAP_RULE_FREE 7

/* Memory not yet accepted from the hypervisor (Linux 6.16). Older kernels do not have the key. */
#define KCAP_RULE_UNACCEPTED 8

/* Broken memory. Kernels without `CONFIG_MEMORY_FAILURE` do not have the key. */
#define KCAP_RULE_HWPOISON 9

/* Ballooned and logically offline pages. Older kernels without hugetlbfs do not have the key. */
#define KCAP_RULE_OFFLINE 10

/* A rule that cannot run. */
typedef struct kcap_missing_rule {
  /* One of the `KCAP_RULE_` numbers. */
  uint32_t rule;
  /* 1 if sound kernels may lack the key: they were built without the feature, or are older than it. */
  uint32_t optional;
  /* 1 if more is kept than was asked because of it; 0 where no level was given. */
  uint32_t keeps_more;
  /* 0. */
  uint32_t reserved;
  /* The rule's name in reports. */
  char name[16];
  /* The first key of VMCOREINFO it would need that is missing, or whose value is out of bounds. */
  char key[KCAP_KEY_LEN];
} kcap_missing_rule;

/*
 Writes rule number `index`, from 0, of those that are off to `rule`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kernel_get_missing_rule(const struct kcap_kernel *kernel,
                                         size_t index,
                                         struct kcap_missing_rule *rule);

/* Where a run of kernel virtual addresses lies in physical memory. */
typedef struct kcap_mapping {
  /* The physical address of the first byte. */
  uint64_t phys;
  /* How many bytes from there on are contiguous in both; at least 1. */
  uint64_t len;
} kcap_mapping;

/*
 Writes where the kernel's virtual address `addr` lies in physical memory to `mapping`. `error` may be NULL.

 Errors: `KCAP_ERR_NOT_MAPPED`; those of `kcap_memory_read` for the page tables; `KCAP_ERR_NULL`.
 */
kcap_status kcap_kernel_translate(struct kcap_kernel *kernel,
                                  struct kcap_memory *memory,
                                  uint64_t addr,
                                  struct kcap_mapping *mapping,
                                  struct kcap_error *error);

/*
 Fills the `len` bytes at `buf` with the bytes at the kernel's virtual address `addr`; they may span pages. What `buf`
 holds after an error is unspecified. `error` may be NULL.

 Errors, of the first page that has one: `KCAP_ERR_NOT_MAPPED`, those of `kcap_memory_read`; `KCAP_ERR_NULL`.
 */
kcap_status kcap_kernel_read(struct kcap_kernel *kernel,
                             struct kcap_memory *memory,
                             uint64_t addr,
                             uint8_t *buf,
                             size_t len,
                             struct kcap_error *error);

/*
 Writes the crashed kernel's names, from `init_uts_ns`, to `name`. `error` may be NULL.

 Errors: `KCAP_ERR_NOT_FOUND` (VMCOREINFO does not say where they stand, or they cannot be read), `KCAP_ERR_NULL`.
 */
kcap_status kcap_kernel_get_utsname(struct kcap_kernel *kernel,
                                    struct kcap_memory *memory,
                                    struct kcap_utsname *name,
                                    struct kcap_error *error);

/*
 ====================================================================================================
 Memory that the input has and the kernel does not, and the other way around.
 ====================================================================================================
 */

/* Ranges that `kcap_frame_ranges` has room for. */
#define KCAP_NAMED_RANGES 16

/* Ranges of page frames in ascending order: how much there is, and the first few. */
typedef struct kcap_frame_ranges {
  /* Page frames in all of them. */
  uint64_t frames;
  /* The number of ranges. */
  uint64_t count;
  /* The first of them; the others are 0. */
  struct kcap_pfn_range named[KCAP_NAMED_RANGES];
} kcap_frame_ranges;

/*
 Where the input's table of memory (`PT_LOAD`s, the first bitmap) and the kernel's `mem_section` disagree. What both agree on is
 read; this is the rest. Set `size` before the call.
 */
typedef struct kcap_sections {
  /* `sizeof(kcap_sections)`. */
  size_t size;
  /*
   The input has it, and both its section and its `struct page`s are gone: memory that was removed after the crash kernel was
   loaded. It is not read and not dumped (`KCAP_KIND_REMOVED`), where `believed`.
   */
  struct kcap_frame_ranges removed;
  /* The input has it, and its section is offline or has no `struct page`s: kept. */
  struct kcap_frame_ranges offline;
  /* The input has it, and its section cannot be read, contradicts the rest of the kernel, or alone says that it is gone: kept. */
  struct kcap_frame_ranges unreadable;
  /* The kernel uses it, and nothing of its section is in the input: memory that was added after the crash kernel was loaded. */
  struct kcap_frame_ranges missing;
  /* 1 if the kernel marks sections as online (Linux 4.13); if not, none is known to be offline. */
  uint32_t tells_online;
  /* 1 if `removed` memory is left out; if not, the sections deny memory that is there for sure. */
  uint32_t believed;
  /* 1 if all sections were looked at. */
  uint32_t whole;
  /* 0. */
  uint32_t reserved;
} kcap_sections;

/*
 Writes where the memory that was given to `kcap_kernel_init` and the kernel's sections disagree to `sections`.

 Errors: `KCAP_ERR_NOT_FOUND` (no mem_map, or one without sections), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kernel_get_sections(const struct kcap_kernel *kernel,
                                     struct kcap_sections *sections);

/*
 ====================================================================================================
 What page frames were used for, and which a dump leaves out.
 ====================================================================================================
 */

/* Kernel memory, or a use that no rule recognises: always kept. */
#define KCAP_KIND_KERNEL 0

/* Slab objects: always kept, counted to check the rules themselves. */
#define KCAP_KIND_SLAB 1

/* Every byte is zero, and no other kind applies. */
#define KCAP_KIND_ZERO 2

/* Page cache or swap cache without `PG_private`. */
#define KCAP_KIND_CACHE 3

/* Page cache or swap cache with `PG_private` (buffer heads, filesystem data). */
#define KCAP_KIND_CACHE_PRIVATE 4

/* Memory of user processes: anonymous, KSM, hugetlb. */
#define KCAP_KIND_USER 5

/* On a buddy list, or not yet accepted from the hypervisor. */
#define KCAP_KIND_FREE 6

/* Memory that the hardware reported broken. */
#define KCAP_KIND_HWPOISON 7

/* Ballooned or logically offline. */
#define KCAP_KIND_OFFLINE 8

/* The `struct page` could not be read: kept. */
#define KCAP_KIND_UNKNOWN 9

/* Memory that was removed since the input's table of memory was made: never read, never dumped. */
#define KCAP_KIND_REMOVED 10

/* `kcap_kernel_page_kinds`: the input does not hold the page frame. */
#define KCAP_KIND_ABSENT 255

/* Elements of an array of numbers by kind; those past `KCAP_KIND_REMOVED` are 0, for kinds to come. */
#define KCAP_KINDS 16

/* The name of a kind in reports, such as "cache-private": a string of the library's own, never NULL. */
const char *kcap_kind_str(uint32_t kind);

/* Page frames by kind. Set `size` before the call. */
typedef struct kcap_counts {
  /* `sizeof(kcap_counts)`. */
  size_t size;
  /* Page frames of each kind, by its `KCAP_KIND_` number. */
  uint64_t pages[KCAP_KINDS];
  /* Page frames of each kind that are not dumped. */
  uint64_t left_out[KCAP_KINDS];
  /* Page frames that the filter was asked about. */
  uint64_t total;
  /* Free blocks and compound pages of two page frames or more. */
  uint64_t blocks;
  /* Free blocks and compound pages whose order cannot be right; they are kept. */
  uint64_t bad_orders;
  /* The page frame of the first of these. */
  uint64_t first_bad_order_pfn;
  /* The order found there. */
  uint64_t first_bad_order;
} kcap_counts;

/*
 Passes over the memory that tell pages apart and take out of a bitmap what a level leaves out. A `kcap_dumper` has one
 of its own.

 One thread at a time.
 */
typedef struct kcap_filter kcap_filter;

/* The size of a `kcap_filter`, in bytes. */
size_t kcap_filter_size(void);

/* What the address of a `kcap_filter` must be a multiple of. */
size_t kcap_filter_align(void);

/*
 Leaves out what `level` (`KCAP_LEVEL_` bits) says of the machine that `kernel` ran on, in the `filter_len` bytes at `filter`.

 `kernel` is used for as long as the object is, and by nothing else in the meantime. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_filter_init(struct kcap_filter *filter,
                             size_t filter_len,
                             struct kcap_kernel *kernel,
                             kcap_level level,
                             struct kcap_error *error);

/* The scratch that makes scans as fast as they get, in bytes. */
#define KCAP_FILTER_SCRATCH 0x8000

/*
 Judges the page frames from `start` to before `end` whose bits are set in `dumpable` (bit 0 of the first word is `start`),
 counts them by kind, and clears those that the level leaves out.

 `words` is the number of words at `dumpable`: one for each 64 page frames. `scratch` has `KCAP_FILTER_SCRATCH` bytes, or at least
 `kcap_kernel_facts.struct_page_size`. Windows come in ascending order; one that starts below the end of the one before
 starts the next pass (see `kcap_filter_clear`). What the bits are after an error is unspecified. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`field`: "dumpable" or "scratch"), `KCAP_ERR_INVALID` (`end` below `start`),
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_filter_scan(struct kcap_filter *filter,
                             struct kcap_memory *memory,
                             uint64_t start,
                             uint64_t end,
                             uint64_t *dumpable,
                             size_t words,
                             uint8_t *scratch,
                             size_t scratch_len,
                             struct kcap_error *error);

/*
 Sets all counts to 0, for the next pass.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_filter_clear(struct kcap_filter *filter);

/*
 Writes how many page frames of each kind the scans met to `counts`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_filter_get_counts(const struct kcap_filter *filter, struct kcap_counts *counts);

/* The result can be true. */
#define KCAP_DOUBT_NONE 0

/* No page at all is free, of `doubt_pages` asked about, though the rule could run. */
#define KCAP_DOUBT_NO_FREE_PAGE 1

/* No page at all is slab, of `doubt_pages` asked about, though the rule could run. */
#define KCAP_DOUBT_NO_SLAB_PAGE 2

/* More than half of the memory, `doubt_pages`, is said to be broken: the flags are misread. */
#define KCAP_DOUBT_MOSTLY_HWPOISON 3

/* More free blocks and compound pages have an order that cannot be right (`doubt_pages`) than one that can (`doubt_sound`). */
#define KCAP_DOUBT_BAD_ORDERS 4

/*
 Page frame `doubt_pfn`, which is known to hold the kernel's own data (`doubt_witness`), was to be left out as a page of kind
 `doubt_kind`.
 */
#define KCAP_DOUBT_WITNESS_LEFT_OUT 5

/* Another reason, of a newer library. */
#define KCAP_DOUBT_OTHER 255

/* The kernel's top page table. */
#define KCAP_WITNESS_PAGE_TABLES 1

/* The start of the kernel's text, at `_stext`. */
#define KCAP_WITNESS_KERNEL_TEXT 2

/* `init_uts_ns`. */
#define KCAP_WITNESS_UTS_NAMESPACE 3

/* The start of the section table, `mem_section`. */
#define KCAP_WITNESS_SECTION_TABLE 4

/* Some of the mem_map. */
#define KCAP_WITNESS_MEM_MAP 5

/* Rules that `kcap_findings` has room for. */
#define KCAP_RULES 16

/* What kept the filter from doing all that was asked of it. Set `size` before the call. */
typedef struct kcap_findings {
  /* `sizeof(kcap_findings)`. */
  size_t size;
  /* Why the result cannot be true, one of the `KCAP_DOUBT_` numbers: every page must be kept then. */
  uint32_t doubt;
  /* What the page frame holds, one of the `KCAP_WITNESS_` numbers; 0 where that is not the doubt. */
  uint32_t doubt_witness;
  /* What it was taken for, one of the `KCAP_KIND_` numbers. */
  uint32_t doubt_kind;
  /* The number of `missing` rules. */
  uint32_t missing_count;
  /* The doubt's number of pages, or of blocks. */
  uint64_t doubt_pages;
  /* The doubt's number of sound blocks. */
  uint64_t doubt_sound;
  /* The doubt's page frame. */
  uint64_t doubt_pfn;
  /* Why there is no mem_map, where there is none. */
  struct kcap_no_mem_map no_mem_map;
  /* The rules that could not run. */
  struct kcap_missing_rule missing[KCAP_RULES];
} kcap_findings;

/*
 Writes what to make of a complete pass to `findings`. `whole`: not 0 if the input holds every page frame that the machine
 had; where some were left out before, missing free pages prove nothing.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_filter_get_findings(const struct kcap_filter *filter,
                                     uint32_t whole,
                                     struct kcap_findings *findings);

/*
 Writes what each page frame from `start` on was used for, by its `struct page`, to the `count` bytes at `kinds`: `KCAP_KIND_`
 numbers, `KCAP_KIND_ABSENT` where the input does not hold it. Zero pages are known by their content alone, and are not told
 apart here. What the bytes at `kinds` are after an error is unspecified. `error` may be NULL.

 Errors: `KCAP_ERR_NOT_FOUND` (the mem_map was not found), those of `kcap_memory_next_held`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_kernel_page_kinds(struct kcap_kernel *kernel,
                                   struct kcap_memory *memory,
                                   uint64_t start,
                                   uint8_t *kinds,
                                   size_t count,
                                   struct kcap_error *error);

/*
 ====================================================================================================
 The crashed kernel's log.
 ====================================================================================================
 */

/* The size of a text buffer, in bytes, that no record outgrows. */
#define KCAP_LOG_TEXT 0xffff

/* The lockless ring buffer of Linux 5.10 and newer. */
#define KCAP_LOG_LOCKLESS 0

/* Records of variable length in `log_buf`, Linux 3.5 to 5.9. */
#define KCAP_LOG_STRUCTURED 1

/* Plain text in `log_buf`, before Linux 3.5. */
#define KCAP_LOG_FLAT 2

/* The outcome of a walk over the log. Set `size` before the call. */
typedef struct kcap_log_tally {
  /* `sizeof(kcap_log_tally)`. */
  size_t size;
  /* Records visited. */
  uint64_t records;
  /* Records that stand in the ring and could not be had. */
  uint64_t lost;
  /* How this kernel keeps its log: one of the three numbers above. */
  uint32_t generation;
  /* 0. */
  uint32_t reserved;
} kcap_log_tally;

/*
 Gives every record of the log of `kernel` to `sink->record`, oldest first.

 `info` is the kernel's VMCOREINFO. `text`, of `text_len` bytes, holds one record's text at a time: `KCAP_LOG_TEXT` bytes hold any, longer
 texts are cut. `tally` may be NULL. A record that cannot be read is counted as lost and does not end the walk. Records that were
 given before an error are good. `error` may be NULL.

 Errors: `KCAP_ERR_MISSING_KEY`, `KCAP_ERR_CORRUPT`, `KCAP_ERR_LOG_UNREADABLE`; `KCAP_ERR_IO` (the sink's own code);
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_log_read(const struct kcap_vmcoreinfo *info,
                          struct kcap_kernel *kernel,
                          struct kcap_memory *memory,
                          uint8_t *text,
                          size_t text_len,
                          const struct kcap_log_sink *sink,
                          struct kcap_log_tally *tally,
                          struct kcap_error *error);

/*
 As `kcap_log_read`, of any machine whose virtual memory `reader` reads: `big_endian` and `bits` are its byte order and the size
 of its `long`.
 */
kcap_status kcap_log_read_with(const struct kcap_vmcoreinfo *info,
                               const struct kcap_log_reader *reader,
                               uint32_t big_endian,
                               uint32_t bits,
                               uint8_t *text,
                               size_t text_len,
                               const struct kcap_log_sink *sink,
                               struct kcap_log_tally *tally,
                               struct kcap_error *error);

/*
 As `kcap_log_read`, and gives the records as text to `sink->text`, piece by piece: `[    1.234567] text` and a newline, as
 vmcore-dmesg prints them. Bytes that are neither printable ASCII nor white space become `\xNN`. A flat log is given as it is.
 */
kcap_status kcap_log_write(const struct kcap_vmcoreinfo *info,
                           struct kcap_kernel *kernel,
                           struct kcap_memory *memory,
                           uint8_t *text,
                           size_t text_len,
                           const struct kcap_log_sink *sink,
                           struct kcap_log_tally *tally,
                           struct kcap_error *error);

/*
 Writes one record as `kcap_log_write` does: for programs that hold back some of them.

 Errors: `KCAP_ERR_IO` (the sink's own code), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_log_record_write(const struct kcap_log_record *record, const struct kcap_log_sink *sink);

/*
 ====================================================================================================
 Memory that a dump is not to show.
 ====================================================================================================
 */

/* What hidden bytes become: `X`. */
#define KCAP_REDACTION_FILL 0x58

/* Memory to be hidden. */
typedef struct kcap_secret {
  /* The address of the first byte. */
  uint64_t start;
  /* The number of bytes, not 0. */
  uint64_t len;
  /* Its name in the log of erased data, such as a symbol's: at most 512 visible characters of ASCII, no `@`. NULL for none. */
  const char *name;
  /* Not 0: `start` is a virtual address of the crashed kernel, and `len` at most 4 GiB. */
  uint32_t is_virtual;
  /* 0. */
  uint32_t reserved;
} kcap_secret;

/* Pages to be hidden: bit `i % 8` of byte `i / 8`, counted from the least significant one, is page frame `first + i`. */
typedef struct kcap_secret_pages {
  /* The bitmap. */
  const uint8_t *bits;
  /* Its length in bytes. */
  size_t len;
  /* The page frame of the first bit. */
  uint64_t first;
  /* Their name in the log of erased data, or NULL: see `kcap_secret`. */
  const char *name;
} kcap_secret_pages;

/*
 What a dump is to hide.

 Threads may use one object at once: nothing of it changes after its init.
 */
typedef struct kcap_redaction kcap_redaction;

/* The size of a `kcap_redaction`, in bytes. */
size_t kcap_redaction_size(void);

/* What the address of a `kcap_redaction` must be a multiple of. */
size_t kcap_redaction_align(void);

/*
 The memory that `kcap_redaction_init` needs for `count` ranges of physical memory, in bytes. A range of virtual memory needs as
 much for each of the pieces of physical memory that it is made of: 1 for most symbols.
 */
size_t kcap_redaction_work(size_t count);

/*
 What a dump is to hide, in the `redaction_len` bytes at `redaction`: the `count` ranges at `secrets`, in any order, and the pages of
 `pages`, which may be NULL.

 The bytes become `KCAP_REDACTION_FILL` before anything else is done with them, so that no form of a dump has them; pages stay where they
 are, and which ones are kept does not change. Notes (registers, VMCOREINFO) are copied as they are, wherever they stand in memory.

 Virtual addresses are looked up by `kernel` in `memory`; without any both may be NULL. `work`, of `work_len` bytes (see
 `kcap_redaction_work`) and aligned to 8, the names and the bitmap are used for as long as the object is, and the
 object for as long as a dumper that it was given to. `error` may be NULL.

 Errors, each of which means that something would not be hidden: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `redaction`; `work`: what
 the ranges up to the first without room need), `KCAP_ERR_INVALID` (`field`: "start" of a range of no length, or past the end
 of the address space; "first" of a bitmap beyond page frame 2^40; "name"), `KCAP_ERR_NOT_MAPPED` and those of `kcap_memory_read` for virtual
 addresses, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_redaction_init(struct kcap_redaction *redaction,
                                size_t redaction_len,
                                const struct kcap_secret *secrets,
                                size_t count,
                                const struct kcap_secret_pages *pages,
                                struct kcap_kernel *kernel,
                                struct kcap_memory *memory,
                                void *work,
                                size_t work_len,
                                struct kcap_error *error);

/*
 ====================================================================================================
 Pages on their way from memory to the output.
 ====================================================================================================
 */

/* Pages to be encoded: nothing but numbers, which may be copied and sent to whichever thread is free. */
typedef struct kcap_chunk kcap_chunk;

/* The size of a `kcap_chunk`, in bytes. */
size_t kcap_chunk_size(void);

/* What the address of a `kcap_chunk` must be a multiple of. */
size_t kcap_chunk_align(void);

/* The most page frames that a chunk spans. */
#define KCAP_CHUNK_FRAMES 256

/* What a chunk says. */
typedef struct kcap_chunk_facts {
  /* Chunks are committed in the order of these numbers, from 0. */
  uint64_t sequence;
  /* The page frame of the lowest bit of `pages`. */
  uint64_t first;
  /* Bit `i % 64` of word `i / 64` says whether frame `first + i` is to be saved. */
  uint64_t pages[4];
  /* The number of pages. */
  uint64_t count;
} kcap_chunk_facts;

/*
 Writes what `chunk` says to `facts`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_chunk_get_facts(const struct kcap_chunk *chunk, struct kcap_chunk_facts *facts);

/* How pages are encoded: the same for every chunk of a dump. Set `size` before the call. */
typedef struct kcap_encode_params {
  /* `sizeof(kcap_encode_params)`. */
  size_t size;
  /* The page size of the dumped machine in bytes. */
  uint64_t page_size;
  /* The most pages in a chunk. */
  uint64_t chunk_pages;
  /* The output that `kcap_chunk_encode` needs, in bytes. */
  uint64_t out_bytes;
  /* The scratch that `kcap_chunk_encode` needs, in bytes. */
  uint64_t scratch_bytes;
  /* How pages are packed: a `KCAP_COMPRESSION_` number. */
  kcap_compression compression;
  /* 1 if pages of zeros are told from others. */
  uint32_t find_zero;
  /* 1 if pages are packed in less time, to more bytes. */
  uint32_t fast;
  /* 1 if pages with the same bytes are to be told. */
  uint32_t share_duplicates;
  /* What is overwritten before anything else is done with a page: the object that `kcap_dumper_set_redaction` was given, NULL if nothing is. */
  const struct kcap_redaction *redaction;
} kcap_encode_params;

/*
 What became of the pages of a chunk: numbers, which may be copied. The bytes are in the buffer that was given to
 `kcap_chunk_encode`.
 */
typedef struct kcap_encoded kcap_encoded;

/* The size of a `kcap_encoded`, in bytes. */
size_t kcap_encoded_size(void);

/* What the address of a `kcap_encoded` must be a multiple of. */
size_t kcap_encoded_align(void);

/*
 Reads, tests and packs the pages of `chunk`, on any thread that has a `memory` of its own; what became of them goes to the
 `encoded_len` bytes at `encoded`, and their bytes to the `out_len` bytes at `out`.

 `params` are those of `kcap_dumper_get_params`. `scratch`, of `scratch_len` bytes and aligned to 8, has no content that matters.
 A page that cannot be read is marked as lost and is no error. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`encoded`; `field`: "scratch" or "out"), `KCAP_ERR_INVALID` (`params`),
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_chunk_encode(const struct kcap_chunk *chunk,
                              const struct kcap_encode_params *params,
                              struct kcap_memory *memory,
                              void *scratch,
                              size_t scratch_len,
                              uint8_t *out,
                              size_t out_len,
                              struct kcap_encoded *encoded,
                              size_t encoded_len,
                              struct kcap_error *error);

/* The number of bytes that `kcap_chunk_encode` wrote to its output; 0 for NULL. */
size_t kcap_encoded_bytes(const struct kcap_encoded *encoded);

/* A page that could not be read. */
typedef struct kcap_fault {
  /* The page frame. */
  uint64_t pfn;
  /* Why: `KCAP_ERR_HOLE`, `KCAP_ERR_EXCLUDED`, `KCAP_ERR_LOST` or `KCAP_ERR_IO`. */
  kcap_status status;
  /* The code of the callback that failed. */
  int32_t code;
} kcap_fault;

/*
 Writes page number `index`, from 0, of the first few that could not be read to `fault`.

 Errors: `KCAP_ERR_NOT_FOUND` past the last one, `KCAP_ERR_NULL`.
 */
kcap_status kcap_encoded_get_fault(const struct kcap_encoded *encoded,
                                   size_t index,
                                   struct kcap_fault *fault);

/*
 ====================================================================================================
 The dump: pages told apart, packed and written, in the caller's memory and at the caller's pace.
 ====================================================================================================
 */

/* A kdump-compressed file, header version 6. */
#define KCAP_FORMAT_KDUMP 0

/* An ELF core. */
#define KCAP_FORMAT_ELF 1

/* What the caller asks of a dump. Set `size`, and all other members to 0 or to what they say. */
typedef struct kcap_dump_options {
  /* `sizeof(kcap_dump_options)`. */
  size_t size;
  /* Which pages to leave out: `KCAP_LEVEL_` bits. */
  kcap_level level;
  /* How pages are packed: a `KCAP_COMPRESSION_` number. An ELF core holds them as they are. */
  kcap_compression compression;
  /* The format of the output: a `KCAP_FORMAT_` number. */
  uint32_t format;
  /* The number of this file of a split set, from 0. Kdump-compressed only. */
  uint32_t split_part;
  /* The number of files of the split set; 0 for one file that is not part of any. */
  uint32_t split_parts;
  /* Not 0: pages are packed in less time, to more bytes (zlib only). */
  uint32_t fast;
  /*
   The most bytes of the output (of a stream: of the dump in it), 0 for any number. Where it would be larger
   `KCAP_ERR_LIMIT` is answered, and `kcap_dumper_abandon` leaves what fits.
   */
  uint64_t limit;
  /*
   Not 0: a page whose bytes were written before is written as a descriptor alone, which points at them. Pages are told the same
   by 192 bits of SHA-256 among those of the last few thousand that were seen; this takes 128 KiB more of `work`. Kdump-compressed
   only; each part of a split set is by itself.
   */
  uint32_t share_duplicates;
  /* 0. */
  uint32_t reserved;
} kcap_dump_options;

/*
 Saves the memory of a machine.

 The caller owns the loop: `kcap_dumper_next_chunk` hands out pages, `kcap_chunk_encode` packs them on any thread,
 `kcap_dumper_commit_chunk` takes the results in order, and `kcap_dumper_finish` completes the output. `kcap_dumper_step` is all of it
 for one thread. To cancel, and after an error, call `kcap_dumper_abandon`: the output stays marked as incomplete.

 One thread at a time; chunks are encoded by any.
 */
typedef struct kcap_dumper kcap_dumper;

/* The size of a `kcap_dumper`, in bytes. */
size_t kcap_dumper_size(void);

/* What the address of a `kcap_dumper` must be a multiple of. */
size_t kcap_dumper_align(void);

/*
 A dump of the machine that `source` describes, in the `dumper_len` bytes at `dumper`.

 `kernel` tells pages apart; it may be NULL, and all pages are kept then but those of zeros. `work`, of `work_len` bytes and aligned
 to 8, is all the memory that the dump uses, whatever the size of the machine: at least 128 KiB for pages of 4 KiB, 192 KiB for
 16 KiB, 512 KiB for 64 KiB (duplicates shared: 128 KiB more; ELF output: and 4 bytes for each `PT_LOAD` of the input); 1 MiB makes for large writes; 1 MiB more
 for each 32 GiB of memory (pages of 4 KiB) saves looking at pages twice.

 `kernel` (by nothing else in the meantime), `work` and what `source` was made from are used for as long as the object is; `source`
 and `options` are not. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `dumper`, or for `work`), `KCAP_ERR_INVALID` (an option), `KCAP_ERR_UNSUPPORTED`
 (more than 2^40 page frames, a split ELF core), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_dumper_init(struct kcap_dumper *dumper,
                             size_t dumper_len,
                             const struct kcap_source *source,
                             struct kcap_kernel *kernel,
                             const struct kcap_dump_options *options,
                             void *work,
                             size_t work_len,
                             struct kcap_error *error);

/*
 Hides what `redaction` says in the output of `dumper`, and writes it to the log of erased data; `kcap_dumper_get_params` and
 `kcap_dumper_finish_on_threads` carry it to whoever encodes chunks, so it comes before them. `redaction` stays where it is, unchanged, for
 as long as the dumper and the parameters are used, and so does what it was made from. `error` may be NULL.

 Errors: `KCAP_ERR_OUT_OF_ORDER` (the dump has begun), `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_set_redaction(struct kcap_dumper *dumper,
                                      const struct kcap_redaction *redaction,
                                      struct kcap_error *error);

/* Telling pages apart and counting them. `done` and `total` are page frames. */
#define KCAP_PHASE_SCAN 0

/* Writing headers, notes, bitmaps and pages. `done` and `total` are pages. */
#define KCAP_PHASE_WRITE 1

/* Everything is written; `kcap_dumper_finish` completes the headers. */
#define KCAP_PHASE_WRITTEN 2

/* The output is whole. */
#define KCAP_PHASE_FINISHED 3

/* How far a dump is. The scan starts again once where what it found cannot be true. */
typedef struct kcap_progress {
  /* How much of the phase is done, in its unit. */
  uint64_t done;
  /* How much there is to do. */
  uint64_t total;
  /* The phase: one of the `KCAP_PHASE_` numbers. */
  uint32_t phase;
  /* 0. */
  uint32_t reserved;
} kcap_progress;

/*
 Does some of the work on this thread, a few milliseconds' worth, and writes how far it is to `progress`, which may be NULL. The
 output is whole when `progress` says `KCAP_PHASE_FINISHED`, and then `KCAP_END` is answered. `error` may be NULL.

 Errors, none of which can be retried: those of `output`; `KCAP_ERR_FRAMES`, `KCAP_ERR_CHANGED`, `KCAP_ERR_UNSUPPORTED` (values
 that the format cannot hold), `KCAP_ERR_OUT_OF_ORDER` (chunks were handed out and not committed), `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_step(struct kcap_dumper *dumper,
                             struct kcap_memory *memory,
                             const struct kcap_write_at *output,
                             struct kcap_progress *progress,
                             struct kcap_error *error);

/*
 Writes how far the dump is to `progress`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_get_progress(const struct kcap_dumper *dumper, struct kcap_progress *progress);

/* Some work was done; ask again. */
#define KCAP_NEXT_AGAIN 0

/* A chunk was handed out, to be encoded and committed in order. */
#define KCAP_NEXT_CHUNK 1

/* Every chunk was handed out. When all are committed, `kcap_dumper_finish` completes the output. */
#define KCAP_NEXT_DONE 2

/*
 Does some of the work up to the next chunk, a few milliseconds' worth, and writes what to do next to `next`: a `KCAP_NEXT_` number.
 With `KCAP_NEXT_CHUNK` the chunk is in the `chunk_len` bytes at `chunk`. `error` may be NULL.

 Errors, none of which can be retried: those of `output`; `KCAP_ERR_FRAMES`, `KCAP_ERR_UNSUPPORTED`. Before anything is done:
 `KCAP_ERR_BUFFER_TOO_SMALL` (`chunk`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_next_chunk(struct kcap_dumper *dumper,
                                   struct kcap_memory *memory,
                                   const struct kcap_write_at *output,
                                   struct kcap_chunk *chunk,
                                   size_t chunk_len,
                                   uint32_t *next,
                                   struct kcap_error *error);

/*
 Writes how the chunks of `dumper` are to be encoded to `params`. They are good for as long as the dumper is.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH` (also of a `params` without room for the redaction that there is).
 */
kcap_status kcap_dumper_get_params(const struct kcap_dumper *dumper, struct kcap_encode_params *params);

/*
 Writes an encoded chunk to `output`; `bytes`, of `len`, are what `kcap_chunk_encode` wrote. `error` may be NULL.

 Errors: `KCAP_ERR_OUT_OF_ORDER` (`value`: the number of the chunk that is due), `KCAP_ERR_BUFFER_TOO_SMALL` (`len`),
 `KCAP_ERR_NULL`: nothing was done. `KCAP_ERR_CHANGED`, and those of `output`: they cannot be retried.
 */
kcap_status kcap_dumper_commit_chunk(struct kcap_dumper *dumper,
                                     const struct kcap_chunk *chunk,
                                     const struct kcap_encoded *encoded,
                                     const uint8_t *bytes,
                                     size_t len,
                                     const struct kcap_write_at *output,
                                     struct kcap_error *error);

/*
 Completes the output when every chunk was committed. `error` may be NULL.

 Errors: `KCAP_ERR_OUT_OF_ORDER` if chunks are missing, those of `output`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_finish(struct kcap_dumper *dumper,
                               const struct kcap_write_at *output,
                               struct kcap_error *error);

/*
 Ends a dump early, because the caller wants to or because the storage is full: writes what is held, so that the output
 describes the pages that were committed and are in it; `kcap_report.saved` counts those. It stays marked as incomplete, and
 nothing more can be done with it. A stream gets its mark, if it still takes it. `error` may be NULL.

 Errors: those of `output` (what could be written is written all the same), `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_abandon(struct kcap_dumper *dumper,
                                const struct kcap_write_at *output,
                                struct kcap_error *error);

/*
 ====================================================================================================
 Telling pages apart on threads of the program's own: the first pass of a dump, beside the chunks of the second.
 ====================================================================================================
 */

/* Words of 8 bytes for the bitmaps of a span. */
#define KCAP_SPAN_WORDS 1024

/* Page frames to be told apart: nothing but numbers, which may be copied and sent to whichever thread is free. */
typedef struct kcap_scan_span kcap_scan_span;

/* The size of a `kcap_scan_span`, in bytes. */
size_t kcap_scan_span_size(void);

/* What the address of a `kcap_scan_span` must be a multiple of. */
size_t kcap_scan_span_align(void);

/* What a span says. */
typedef struct kcap_scan_span_facts {
  /* Spans are committed in the order of these numbers, from 0. */
  uint64_t sequence;
  /* The first page frame. */
  uint64_t start;
  /* The page frame after the last one. */
  uint64_t end;
} kcap_scan_span_facts;

/*
 Writes what `span` says to `facts`.

 Errors: `KCAP_ERR_NULL`.
 */
kcap_status kcap_scan_span_get_facts(const struct kcap_scan_span *span, struct kcap_scan_span_facts *facts);

/* What became of a span: numbers, which may be copied. Its bitmaps are in the words that were given to `kcap_scanner_scan`. */
typedef struct kcap_scanned kcap_scanned;

/* The size of a `kcap_scanned`, in bytes. */
size_t kcap_scanned_size(void);

/* What the address of a `kcap_scanned` must be a multiple of. */
size_t kcap_scanned_align(void);

/* Scans spans on any thread; each thread has its own, for all of a dump. */
typedef struct kcap_scanner kcap_scanner;

/* The size of a `kcap_scanner`, in bytes. */
size_t kcap_scanner_size(void);

/* What the address of a `kcap_scanner` must be a multiple of. */
size_t kcap_scanner_align(void);

/*
 What a thread scans spans of `dumper` with, in the `scanner_len` bytes at `scanner`. It keeps nothing of `dumper`. `error` may be
 NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `scanner`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_scanner_init(struct kcap_scanner *scanner,
                              size_t scanner_len,
                              const struct kcap_dumper *dumper,
                              struct kcap_error *error);

/* The scratch that `kcap_scanner_scan` needs, in bytes; 0 for NULL. */
size_t kcap_scanner_scratch(const struct kcap_scanner *scanner);

/*
 Finds which frames of `span` are to be kept, on any thread that has a `memory` of its own; what became of it goes to the
 `scanned_len` bytes at `scanned`, and its bitmaps to the `word_count` words at `words`, `KCAP_SPAN_WORDS` at most.

 `scratch`, of `scratch_len` bytes, has no content that matters. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`scanned`, `words` in words, `scratch` in bytes), `KCAP_ERR_FRAMES`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_scanner_scan(struct kcap_scanner *scanner,
                              const struct kcap_scan_span *span,
                              struct kcap_memory *memory,
                              uint64_t *words,
                              size_t word_count,
                              void *scratch,
                              size_t scratch_len,
                              struct kcap_scanned *scanned,
                              size_t scanned_len,
                              struct kcap_error *error);

/*
 Writes the next page frames that are to be told apart to the `span_len` bytes at `span`. `error` may be NULL.

 Spans are scanned on any thread and committed in order. `KCAP_END`: all of this pass are handed out; when they are
 committed too, `kcap_dumper_next_chunk` ends the pass, which may be followed by another one where what was found
 cannot be true. A program that does not ask for spans need not: `kcap_dumper_next_chunk` scans by itself.

 Errors: `KCAP_ERR_FRAMES`, `KCAP_ERR_BUFFER_TOO_SMALL` (`span`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_next_span(struct kcap_dumper *dumper,
                                  struct kcap_memory *memory,
                                  struct kcap_scan_span *span,
                                  size_t span_len,
                                  struct kcap_error *error);

/*
 Takes what became of a span; `words`, of `word_count`, are what `kcap_scanner_scan` wrote. `error` may be NULL.

 Errors: `KCAP_ERR_OUT_OF_ORDER` (`value`: the number of the span that is due), `KCAP_ERR_BUFFER_TOO_SMALL` (`words` are not those
 of the span), `KCAP_ERR_FRAMES`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_dumper_commit_span(struct kcap_dumper *dumper,
                                    const struct kcap_scan_span *span,
                                    const struct kcap_scanned *scanned,
                                    const uint64_t *words,
                                    size_t word_count,
                                    struct kcap_memory *memory,
                                    struct kcap_error *error);

/*
 ====================================================================================================
 What a dump did.
 ====================================================================================================
 */

/* Everything that was to be saved was saved, and nothing else. */
#define KCAP_OUTCOME_COMPLETE 0

/* Pages are missing: they could not be read. */
#define KCAP_OUTCOME_INCOMPLETE 1

/* Everything that was to be saved was saved, and pages that were to be left out too. */
#define KCAP_OUTCOME_MORE_KEPT 2

/* No more was kept than asked. */
#define KCAP_REASON_NONE 0

/* The input has no VMCOREINFO. */
#define KCAP_REASON_NO_VMCOREINFO 1

/* Virtual addresses of the kernel cannot be read: `kcap_kernel_init` said why. */
#define KCAP_REASON_NO_KERNEL 2

/* The `struct page`s were not found: `kcap_findings.no_mem_map` says why. */
#define KCAP_REASON_NO_MEM_MAP 3

/* What was found cannot be true: `kcap_findings.doubt` says why. Every page was kept but those of zeros. */
#define KCAP_REASON_DOUBT 4

/* Some rules could not run: `kcap_findings.missing` names them. */
#define KCAP_REASON_RULES 5

/* Another reason, of a newer library. */
#define KCAP_REASON_OTHER 255

/* Faults that `kcap_report` has room for. */
#define KCAP_FAULTS 16

/* What a dump did. Set `size` before the call. */
typedef struct kcap_report {
  /* `sizeof(kcap_report)`. */
  size_t size;
  /* Page frames that the machine had. */
  uint64_t known;
  /* Page frames whose bytes the input holds. */
  uint64_t held;
  /* Pages to be saved in all parts, of zeros or not. */
  uint64_t kept;
  /* Pages saved in this output, of zeros or not, without those that were lost. */
  uint64_t saved;
  /* Zero pages among those: found while saving, or (ELF) left out. */
  uint64_t zero;
  /* Pages to be saved that could not be read. */
  uint64_t lost;
  /* Bytes written to the output. */
  uint64_t written;
  /* How the dump ended: a `KCAP_OUTCOME_` number. */
  uint32_t outcome;
  /* Why more was kept than asked: a `KCAP_REASON_` number. */
  uint32_t reason;
  /* The level that was asked for. */
  kcap_level asked_level;
  /* The level as it was used: without what could not be told apart, with what the input had left out before. */
  kcap_level level;
  /* What the input had left out before. */
  kcap_level left_out;
  /* 1 if the input says that it is not whole, or ends too early. */
  uint32_t incomplete;
  /* The number of `faults`. */
  uint32_t fault_count;
  /* 0. */
  uint32_t reserved;
  /* The first pages that could not be read. */
  struct kcap_fault faults[KCAP_FAULTS];
  /* Pages among `lost` where no memory was found. */
  uint64_t holes;
  /* Pages among `lost` in memory that the hardware reports as broken. */
  uint64_t poisoned;
  /*
   Pages committed to this output that share the bytes of an earlier one (`kcap_dump_options.share_duplicates`): of an abandoned
   dump more than it may hold.
   */
  uint64_t duplicates;
  /* Bytes that were not written for them. */
  uint64_t duplicate_bytes;
  /* Pages committed to this output of which something is hidden: of an abandoned dump more than it may hold. */
  uint64_t redacted_pages;
  /* Bytes hidden in them. */
  uint64_t redacted_bytes;
} kcap_report;

/*
 Writes what the dump did so far to `report`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_dumper_get_report(const struct kcap_dumper *dumper, struct kcap_report *report);

/*
 Writes how many page frames of each kind the input holds to `counts`. Zero pages are in `kcap_report.zero` alone.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_dumper_get_counts(const struct kcap_dumper *dumper,
                                   struct kcap_counts *counts);

/*
 Writes what the filter said about its own work, once all pages were counted, to `findings`.

 Errors: `KCAP_ERR_NOT_FOUND` (not counted yet, or no kernel), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_dumper_get_findings(const struct kcap_dumper *dumper, struct kcap_findings *findings);

/*
 ====================================================================================================
 How large a dump of a running machine would be, how long it would take, and what a crash kernel needs.
 ====================================================================================================
 */

/*
 Counts the pages of a running machine by kind.

 One thread at a time.
 */
typedef struct kcap_live_pages kcap_live_pages;

/* The size of a `kcap_live_pages`, in bytes. */
size_t kcap_live_pages_size(void);

/* What the address of a `kcap_live_pages` must be a multiple of. */
size_t kcap_live_pages_align(void);

/*
 Begins to count, in the `pages_len` bytes at `pages`.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`pages_len`), `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_live_pages_init(struct kcap_live_pages *pages, size_t pages_len);

/*
 Counts `count` page frames from `first` on by their words of `/proc/kpageflags`, 64 bits each. Frames come in order of their numbers;
 of those that are no RAM none need be given.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_live_pages_add(struct kcap_live_pages *pages,
                                uint64_t first,
                                const uint64_t *words,
                                size_t count);

/*
 Writes the pages of each kind to `counts` (whose `size` is set; NULL for none), and the page frame after the last one to `end` (NULL
 for none). Zero pages are none of them: what is in a page is not known.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_live_pages_get(const struct kcap_live_pages *pages,
                                struct kcap_counts *counts,
                                uint64_t *end);

/* What a dump would take. Set `size` before the call. */
typedef struct kcap_estimate {
  /* `sizeof(kcap_estimate)`. */
  size_t size;
  /* Page frames that the level keeps, those full of zeros among them. */
  uint64_t pages;
  /* Bytes of the file, at least. */
  uint64_t least_bytes;
  /* Bytes of the file, at most. */
  uint64_t most_bytes;
  /* Milliseconds on one core, at least: to a disk that takes 2 GB/s. */
  uint64_t least_milliseconds;
  /* Milliseconds, at most: to one that takes 50 MB/s. */
  uint64_t most_milliseconds;
} kcap_estimate;

/*
 Estimates a kdump-compressed dump of `level` (`KCAP_LEVEL_` bits), packed by `compression`, of a machine whose `counts->pages` are
 known, with pages of `page_size` bytes; `end` is the page frame after its last one. It is no promise: what is in the pages is not
 known, and memory changes until the crash. `error` may be NULL.

 Errors: `KCAP_ERR_INVALID` (page size, level, compression), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_dump_estimate(const struct kcap_counts *counts,
                               uint64_t end,
                               uint64_t page_size,
                               kcap_level level,
                               kcap_compression compression,
                               struct kcap_estimate *found,
                               struct kcap_error *error);

/*
 Writes what `crashkernel=` should set aside on a machine with `ram` bytes, whose kernel takes `kernel` bytes (code, data and bss): the
 bytes below which it is not enough to `least`, and those that suffice for a distribution's RAM disk to `safe`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_ALIGNMENT`.
 */
kcap_status kcap_crash_kernel_needs(uint64_t ram,
                                    uint64_t kernel,
                                    uint64_t *least,
                                    uint64_t *safe);

/*
 ====================================================================================================
 A finished dump looked at: every descriptor and every page.
 ====================================================================================================
 */

/*
 Looks at every page of a dump, a few at a time. It writes nothing.

 One thread at a time.
 */
typedef struct kcap_verifier kcap_verifier;

/* The size of a `kcap_verifier`, in bytes. */
size_t kcap_verifier_size(void);

/* What the address of a `kcap_verifier` must be a multiple of. */
size_t kcap_verifier_align(void);

/*
 The memory that `kcap_verifier_init_kdump` needs for `kdump`, in bytes, and 16 more for each of the `pages` pages whose data are
 to be checked for overlaps with those of others; 0 for NULL.
 */
size_t kcap_verifier_kdump_work(const struct kcap_kdump *kdump,
                                size_t pages);

/*
 A verifier of `kdump`, in the `verifier_len` bytes at `verifier`.

 `work`, of `work_len` bytes (see `kcap_verifier_kdump_work`) and aligned to 8, and the inputs of `kdump` are used for as long as
 the object is; `kdump` itself is not. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `verifier`, or for `work`), those of `kcap_kdump_init`.
 */
kcap_status kcap_verifier_init_kdump(struct kcap_verifier *verifier,
                                     size_t verifier_len,
                                     const struct kcap_kdump *kdump,
                                     void *work,
                                     size_t work_len,
                                     struct kcap_error *error);

/*
 A verifier of any other memory, as that of an ELF core, in the `verifier_len` bytes at `verifier`: whether every page that
 `memory` says it holds can be read. `truncated`, not 0: the input ends too early, and every known page is asked for; those that
 were to be there are lost.

 `page`, of `page_len` bytes, has room for one page. It and `memory`, by nothing else in the meantime, are used for as long as the
 object is. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `verifier`, or for `page`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_verifier_init(struct kcap_verifier *verifier,
                               size_t verifier_len,
                               struct kcap_memory *memory,
                               uint32_t truncated,
                               uint8_t *page,
                               size_t page_len,
                               struct kcap_error *error);

/*
 Looks at some pages. `KCAP_END`: all were looked at. `error` may be NULL.

 Errors: those of the table that says which pages there are, without which there is nothing to look at: `KCAP_ERR_CORRUPT`,
 `KCAP_ERR_IO`; `KCAP_ERR_NULL`.
 */
kcap_status kcap_verifier_step(struct kcap_verifier *verifier,
                               struct kcap_error *error);

/* What a verifier found so far. Set `size`. The dump is whole if `lost` and `damaged` are 0 and it is not marked as incomplete. */
typedef struct kcap_verified {
  /* `sizeof(kcap_verified)`. */
  size_t size;
  /* Pages that the dump is to hold. */
  uint64_t pages;
  /* Those that are there and decode. */
  uint64_t right;
  /* Those that are lost. */
  uint64_t lost;
  /* Those that are there and are not right. */
  uint64_t damaged;
  /* Those among the right ones whose data are another page's too. */
  uint64_t shared;
  /* The page frame that comes next. */
  uint64_t next_pfn;
} kcap_verified;

/*
 Writes what `verifier` found so far to `verified`.

 Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_verifier_get_verified(const struct kcap_verifier *verifier, struct kcap_verified *verified);

/* Flaws that a verifier names. */
#define KCAP_NAMED_FLAWS 64

/*
 Writes the page frame of flaw number `index`, of the first `KCAP_NAMED_FLAWS` of them and from 0, to `pfn`, and what is wrong to
 `flaw`, each of which may be NULL: a status with what `kcap_error` says beside it. `KCAP_ERR_LOST`: the page is not there;
 `KCAP_ERR_CORRUPT`: its descriptor is damaged (`field` names the member); `KCAP_ERR_OVERLAP`: its data share bytes with those of
 another page and are not the same; `KCAP_ERR_HOLE`: the machine had no such page; `KCAP_ERR_PAGE_...`: its data do not decode;
 `KCAP_ERR_IO`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_verifier_get_flaw(const struct kcap_verifier *verifier,
                                   size_t index,
                                   uint64_t *pfn,
                                   struct kcap_error *flaw);

#if defined(KCAPTURE_HOSTED)

/*
 ====================================================================================================
 Codes of the operating system in words.
 ====================================================================================================
 */

/*
 Writes what a code of this library's files and system calls means, in English, to the `buf_len` bytes at `buf`,
 NUL-terminated: an `errno`, or -1 past the end of a file. 128 bytes do.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_errno_str(int32_t code,
                           char *buf,
                           size_t buf_len);

/*
 ====================================================================================================
 Files and streams of a Linux host.
 ====================================================================================================
 */

/* Device and inode number: equal for two names of one file. */
typedef struct kcap_file_identity {
  /* `st_dev`. */
  uint64_t device;
  /* `st_ino`. */
  uint64_t inode;
} kcap_file_identity;

/*
 A regular file, a block device or `/proc/vmcore` that is read. It is closed by `kcap_input_close`.

 Threads may use one object at once.
 */
typedef struct kcap_input kcap_input;

/* The size of a `kcap_input`, in bytes. */
size_t kcap_input_size(void);

/* What the address of a `kcap_input` must be a multiple of. */
size_t kcap_input_align(void);

/*
 Opens the file at `name` for reading, in the `input_len` bytes at `input`. `error` may be NULL.

 Errors: `KCAP_ERR_IO` (`code`: an `errno`; `EINVAL` for what cannot be read at an offset), `KCAP_ERR_BUFFER_TOO_SMALL`,
 `KCAP_ERR_NULL`.
 */
kcap_status kcap_input_init(struct kcap_input *input,
                            size_t input_len,
                            const char *name,
                            struct kcap_error *error);

/*
 Writes callbacks that read the file to `reader`, for every function that takes an input. `input` is used for as long as
 they are; their codes are `errno` numbers, and -1 past the end of the file.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
 */
kcap_status kcap_input_reader(const struct kcap_input *input,
                              struct kcap_read_at *reader);

/*
 Writes which file it is to `identity`.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
 */
kcap_status kcap_input_identity(const struct kcap_input *input, struct kcap_file_identity *identity);

/* Closes the file. A closed one may be closed again. NULL is nothing to close. */
void kcap_input_close(struct kcap_input *input);

/* Leave an existing file alone, and fail with `EEXIST`. */
#define KCAP_OUTPUT_REFUSE 0

/* Empty an existing file and write over it. A device is written over without being emptied. */
#define KCAP_OUTPUT_OVERWRITE 1

/* A regular file or a block device that is written. It is closed by `kcap_output_close` or `kcap_output_discard`. */
typedef struct kcap_output kcap_output;

/* The size of a `kcap_output`, in bytes. */
size_t kcap_output_size(void);

/* What the address of a `kcap_output` must be a multiple of. */
size_t kcap_output_align(void);

/*
 Opens the file at `name` for writing, in the `output_len` bytes at `output`; a new one is readable by its owner alone.

 `exists` is one of the `KCAP_OUTPUT_` numbers. None of the `in_use_count` files at `in_use` is ever overwritten: give the inputs.
 `error` may be NULL.

 Errors: `KCAP_ERR_IO` (`code`: an `errno`; `EEXIST`, and `EINVAL` for a file that is in use), `KCAP_ERR_INVALID`,
 `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_output_init(struct kcap_output *output,
                             size_t output_len,
                             const char *name,
                             uint32_t exists,
                             const struct kcap_file_identity *in_use,
                             size_t in_use_count,
                             struct kcap_error *error);

/*
 Writes callbacks that write the file to `writer`, for every function that takes an output. `output` is used for as long as
 they are; their codes are `errno` numbers. `writer->sync` brings all to stable storage.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
 */
kcap_status kcap_output_writer(struct kcap_output *output,
                               struct kcap_write_at *writer);

/*
 Writes which file it is to `identity`.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
 */
kcap_status kcap_output_identity(const struct kcap_output *output, struct kcap_file_identity *identity);

/* Closes the file, without bringing it to stable storage. A closed one may be closed again. NULL is nothing to close. */
void kcap_output_close(struct kcap_output *output);

/*
 Closes the file and gives it up: a regular one is removed. `error` may be NULL.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_IO` (`code`: an `errno`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_output_discard(struct kcap_output *output, struct kcap_error *error);

/*
 Standard output as an output whose offsets only grow, without gaps: give it to `kcap_flattened_writer_init`. It is closed by
 `kcap_stream_close`.
 */
typedef struct kcap_stream kcap_stream;

/* The size of a `kcap_stream`, in bytes. */
size_t kcap_stream_size(void);

/* What the address of a `kcap_stream` must be a multiple of. */
size_t kcap_stream_align(void);

/*
 Starts at the first byte of standard output, in the `stream_len` bytes at `stream`. `error` may be NULL.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
 */
kcap_status kcap_stream_init(struct kcap_stream *stream, size_t stream_len, struct kcap_error *error);

/*
 Writes callbacks that append to the stream to `writer`. `stream` is used for as long as they are; their codes are `errno` numbers.
 `writer->sync` sends what is held.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_NULL`.
 */
kcap_status kcap_stream_writer(struct kcap_stream *stream,
                               struct kcap_write_at *writer);

/*
 Sends what is held, and gives the stream up. `error` may be NULL.

 Errors: `KCAP_ERR_STATE` (closed), `KCAP_ERR_IO` (`code`: an `errno`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_stream_close(struct kcap_stream *stream, struct kcap_error *error);

/*
 ====================================================================================================
 The kexec system calls: what they do, what their errors mean, and what is loaded.
 ====================================================================================================
 */

/* A range of physical memory and what the kernel copies there. */
typedef struct kcap_load_segment {
  /* The first bytes of the segment; the kernel fills the rest with zeros. */
  const uint8_t *bytes;
  /* Their number. */
  size_t len;
  /* Physical address, page-aligned. */
  uint64_t mem;
  /* Size in bytes, a multiple of the page size, not smaller than `len`. */
  uint64_t memsz;
} kcap_load_segment;

/*
 `kexec_load`: the kernel copies the `count` segments at `segments` and will start at `entry`, a physical address. Without
 segments it forgets the image that it has. `flags` are bits of `KCAP_KEXEC_`, the machine among them.

 Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kexec_load(uint64_t entry,
                            const struct kcap_load_segment *segments,
                            size_t count,
                            uint64_t flags,
                            struct kcap_error *error);

/*
 `kexec_load` of `plan`, `scratch` being what `kcap_plan_encode` filled.

 Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`), `KCAP_ERR_BUFFER_TOO_SMALL` for `scratch`,
 `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kexec_load_plan(const struct kcap_plan *plan,
                                 const uint8_t *scratch,
                                 size_t scratch_len,
                                 struct kcap_error *error);

/* Forget the image. */
#define KCAP_KEXEC_FILE_UNLOAD 1

/* The image is entered when the kernel crashes. */
#define KCAP_KEXEC_FILE_ON_CRASH 2

/* There is no initial RAM disk. */
#define KCAP_KEXEC_FILE_NO_INITRAMFS 4

/*
 `kexec_file_load`: the kernel reads the image and the initial RAM disk from the open files `kernel` and `initrd`, of which -1 is
 none, and plans itself. `flags` are bits of `KCAP_KEXEC_FILE_`. `command_line` may be NULL.

 Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`).
 */
kcap_status kcap_kexec_file_load(int32_t kernel,
                                 int32_t initrd,
                                 const char *command_line,
                                 uint64_t flags,
                                 struct kcap_error *error);

/*
 `sync`, then `reboot(LINUX_REBOOT_CMD_KEXEC)`: leaves this kernel at once for the loaded one. Nothing is shut down first. It returns
 only if it fails.

 Errors: `KCAP_ERR_IO` (`code`: the errno, for `kcap_kexec_explain`).
 */
kcap_status kcap_kexec_reboot(struct kcap_error *error);

/* `kexec_load` */
#define KCAP_CALL_LOAD 1

/* `kexec_file_load` */
#define KCAP_CALL_FILE_LOAD 2

/* `reboot(LINUX_REBOOT_CMD_KEXEC)` */
#define KCAP_CALL_REBOOT 3

/*
 Writes what Linux means by the errno `code` of a call, a `KCAP_CALL_` number, NUL-terminated to the `len` bytes at `text`. 512 bytes are
 enough.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `text`), `KCAP_ERR_INVALID` (`call`), `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kexec_explain(uint32_t call,
                               int32_t code,
                               char *text,
                               size_t len,
                               struct kcap_error *error);

/*
 Whether another way to load may do what `kcap_kexec_file_load` refused with the errno `code`: 1 or 0. A refused signature is
 never worked around.
 */
int32_t kcap_kexec_worth_another_way(int32_t code);

/* What is neither 0 nor 1: the kernel does not say. */
#define KCAP_UNKNOWN -1

/*
 Whether the running kernel knows a flag of a crash kernel's `kexec_load`, one of `KCAP_KEXEC_`: 1, 0, or `KCAP_UNKNOWN` where it
 does not say: without the permission to load, and where a number of loads is left, of which the question would take one
 (`kexec_load_limit_reboot`). Nothing is loaded, and nothing forgotten.
 */
int32_t kcap_kexec_knows_flag(uint32_t flag);

/* What the kernel says of its images: 1, 0, or `KCAP_UNKNOWN`. Set `size` before the call. */
typedef struct kcap_kexec_state {
  /* `sizeof(kcap_kexec_state)`. */
  size_t size;
  /* Bytes reserved by `crashkernel=`; `UINT64_MAX` where the kernel does not say. */
  uint64_t crash_size;
  /* Bytes that the kernel wants of an elfcorehdr that it can bring up to date (6.6); `UINT64_MAX` where it does not say. */
  uint64_t elfcorehdr_size;
  /* Whether an ordinary kernel is loaded. */
  int32_t loaded;
  /* Whether a crash kernel is loaded. */
  int32_t crash_loaded;
  /* Whether the kernel itself brings the loaded elfcorehdr up to date when CPUs come and go (6.6). */
  int32_t hotplug_cpu;
  /* The same of memory. */
  int32_t hotplug_memory;
  /* Whether loading is switched off until reboot. */
  int32_t load_disabled;
  /* 0. */
  uint32_t reserved;
} kcap_kexec_state;

/*
 Writes what the running kernel says of its images to `state`. `root` is the folder of a copy of `/proc` and `/sys`; NULL for the
 running machine.

 Errors: `KCAP_ERR_IO` (`code`: the errno) if `/sys` is not there at all, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_kexec_get_state(const char *root,
                                 struct kcap_kexec_state *state,
                                 struct kcap_error *error);

/*
 ====================================================================================================
 What a loader must know of the running machine, as `/proc` and `/sys` tell it.

 `root` is the folder of a copy of `/proc` and `/sys`; NULL for the running machine. Lists and texts go to buffers of the
 caller's: where one is too small, nothing is written, and `KCAP_ERR_BUFFER_TOO_SMALL` comes with what is needed in `value`.
 ====================================================================================================
 */

/*
 Reads the file `path`, from `root` and without the first slash, to the `buf_len` bytes at `buf`, and its length to `len`.
 A file of `/proc` may be another one at the next call: give some bytes more than were needed.

 Errors: `KCAP_ERR_IO` (`code`: the errno), `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_running_read(const char *root,
                              const char *path,
                              uint8_t *buf,
                              size_t buf_len,
                              size_t *len,
                              struct kcap_error *error);

/*
 Reads `/proc/iomem`, for `kcap_memory_map_read_iomem`. Without `CAP_SYS_ADMIN` its addresses are all zero.

 Errors: as for `kcap_running_read`.
 */
kcap_status kcap_running_iomem(const char *root,
                               char *buf,
                               size_t buf_len,
                               size_t *len,
                               struct kcap_error *error);

/*
 Reads `/proc/cmdline` without its line end, and with a NUL that `len` does not count.

 Errors: as for `kcap_running_read`.
 */
kcap_status kcap_running_command_line(const char *root,
                                      char *buf,
                                      size_t buf_len,
                                      size_t *len,
                                      struct kcap_error *error);

/*
 Writes major and minor number of the running kernel's version to `major` and `minor`.

 Errors: `KCAP_ERR_NOT_FOUND` where the kernel does not say it, `KCAP_ERR_NULL`.
 */
kcap_status kcap_running_version(const char *root, uint32_t *major, uint32_t *minor);

/*
 Paints `/sys/firmware/memmap`, the firmware's memory map before the kernel changed it, over `map`. Where there is none, `map` stays as
 it was.

 Errors: as for `kcap_memory_map_read_firmware`.
 */
kcap_status kcap_running_firmware(const char *root,
                                  struct kcap_memory_map *map,
                                  struct kcap_error *error);

/* Where a CPU leaves its registers when the machine crashes. */
typedef struct kcap_crash_notes {
  /* Its notes. */
  struct kcap_note_buffer notes;
  /* The CPU's number. */
  uint32_t cpu;
  /* 0. */
  uint32_t reserved;
} kcap_crash_notes;

/*
 Writes each CPU's notes to the `capacity` values at `list`, and their number to `count`. A CPU that the kernel keeps none for is
 not listed.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: the number of CPUs), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_running_crash_notes(const char *root,
                                     struct kcap_crash_notes *list,
                                     size_t capacity,
                                     size_t *count,
                                     struct kcap_error *error);

/*
 Writes where the running kernel keeps the note of VMCOREINFO to `notes`.

 Errors: `KCAP_ERR_NOT_FOUND` where the kernel does not say it, `KCAP_ERR_NULL`.
 */
kcap_status kcap_running_vmcoreinfo(const char *root, struct kcap_note_buffer *notes);

/*
 Writes the address of the kernel's symbol `name`, by `/proc/kallsyms`, to `address`.

 Errors: `KCAP_ERR_NOT_FOUND` for one that the kernel does not have or hides, `KCAP_ERR_INVALID` (`name`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_running_symbol(const char *root,
                                const char *name,
                                uint64_t *address);

/* A `PT_LOAD` of `/proc/kcore`. */
typedef struct kcap_kcore_load {
  /* `p_vaddr` */
  uint64_t vaddr;
  /* `p_paddr`: all ones where memory is not mapped in one piece. */
  uint64_t paddr;
  /* `p_memsz` */
  uint64_t len;
} kcap_kcore_load;

/*
 Writes the `PT_LOAD`s of `/proc/kcore` to the `capacity` values at `list`, and their number to `count`: 0 where it may not be read
 (lockdown).

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: their number), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_running_kcore_loads(const char *root,
                                     struct kcap_kcore_load *list,
                                     size_t capacity,
                                     size_t *count,
                                     struct kcap_error *error);

/*
 Reads the `boot_params` that the running kernel was given (x86) to the `buf_len` bytes at `buf`, `KCAP_BOOT_PARAMS_LEN` of
 them, and their number to `len`.

 Errors: `KCAP_ERR_NOT_FOUND` where the kernel does not say them, `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes), `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_running_boot_params(const char *root,
                                     uint8_t *buf,
                                     size_t buf_len,
                                     size_t *len,
                                     struct kcap_error *error);

/*
 Writes a number of `/sys/firmware/efi`, such as `fw_vendor`, `runtime`, `config_table`, to `number`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_INVALID` (`name`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_running_efi_number(const char *root, const char *name, uint64_t *number);

/*
 Writes an address of `/sys/firmware/efi/systab`, such as `ACPI20`, `ACPI`, `SMBIOS`, to `address`.

 Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_INVALID` (`name`), `KCAP_ERR_NULL`.
 */
kcap_status kcap_running_efi_table(const char *root, const char *name, uint64_t *address);

/*
 Writes `/sys/firmware/efi/runtime-map`, descriptors of `KCAP_EFI_DESCRIPTOR_LEN` bytes as `kcap_efi_runtime` takes them, to
 the `buf_len` bytes at `buf`, and the number of descriptors to `count`: 0 without EFI.

 Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes), `KCAP_ERR_CORRUPT` for a type of more than 32 bits, `KCAP_ERR_NULL`,
 `KCAP_ERR_LENGTH`.
 */
kcap_status kcap_running_efi_runtime_map(const char *root,
                                         uint8_t *buf,
                                         size_t buf_len,
                                         size_t *count,
                                         struct kcap_error *error);

/* The most memory that this process ever had resident, in bytes; 0 where the kernel does not say it. */
uint64_t kcap_peak_memory(void);

/* Memory that can be had without swapping, in bytes; 0 where the kernel does not say it. */
uint64_t kcap_available_memory(void);

/*
 ====================================================================================================
 A dump on threads of the library's own.
 ====================================================================================================
 */

/*
 Brings `dumper` to its end on `1 + reader_count` threads, the caller's among them; the output is the same on any number.

 `memory` is for the caller's thread; each other thread takes one of the `reader_count` objects at `readers`, other
 readers of the same memory (`kcap_memory_init_again`), whose callbacks must stand being called at once. `output` is written by the
 caller's thread alone, in order. All other threads have ended when this returns. `error` may be NULL.

 Errors: as those of `kcap_dumper_step`; `KCAP_ERR_INVALID` (`readers`: one stands twice, or is `memory`); `KCAP_ERR_IO` with
 `ENOMEM`. `kcap_dumper_abandon` is the next step then.
 */
kcap_status kcap_dumper_finish_on_threads(struct kcap_dumper *dumper,
                                          struct kcap_memory *memory,
                                          struct kcap_memory *const *readers,
                                          size_t reader_count,
                                          const struct kcap_write_at *output,
                                          struct kcap_error *error);

#endif

#ifdef __cplusplus
}
#endif

#endif /* KCAPTURE_H */
