/* SPDX-License-Identifier: GPL-2.0-only */
/* The record contract: what the kernel side writes and agent/driftline/decode reads.
 *
 * Compiled three ways: by BCC in front of every hook, by cc in tests/abi (sizeof and offsetof are compared with the
 * Python layouts), and read as text by the same tests (enum names). Fixed-width fields, explicit padding. Change
 * anything here and RECORD_ABI goes up by one.
 */
#ifndef DRIFTLINE_RECORD_H
#define DRIFTLINE_RECORD_H

#define RECORD_ABI 3

#define PATH_BYTES 4096  /* a path's components, leaf first, each ended by NUL; longer is truncated and marked */
#define NAME_BYTES 256   /* NAME_MAX + NUL */
#define ARGV_BYTES 2048  /* argv kept of an exec; longer is truncated and marked */
#define INVOKED_BYTES 64 /* longer invoked names are never cached: an exact key or none */
#define COMM_BYTES 16
#define TTY_BYTES 16
#define DNS_BYTES 1232 /* of a DNS answer: the largest that servers send by UDP (DNS Flag Day 2020); longer is cut */

enum record_kind {
    RECORD_EXEC = 1,
    RECORD_OPEN = 2,
    RECORD_LOAD = 3,
    RECORD_CONNECT = 4,
    RECORD_CGROUP_CREATED = 5,
    RECORD_CGROUP_REMOVED = 6,
    RECORD_CGROUP_LEFT = 7, /* a cgroup_record: a process of the container was moved to path */
    RECORD_DNS = 8,
};

/* Also nouns.RecordFlag. */
enum record_flag {
    FLAG_PATH_TRUNCATED = 1 << 0,
    FLAG_NAME_ONLY = 1 << 1,
    FLAG_ENTERED = 1 << 2,
    FLAG_IS_INIT = 1 << 3,
    FLAG_NO_LINEAGE = 1 << 4,
    FLAG_FOREIGN_MOUNT_NS = 1 << 5,
    FLAG_ARGV_TRUNCATED = 1 << 6,
    FLAG_ENV_TRUNCATED = 1 << 7,
    FLAG_SCRIPT = 1 << 8,
    FLAG_IO_URING = 1 << 9,
    FLAG_COMPAT = 1 << 10,
    FLAG_DIRECTORY = 1 << 11,
    FLAG_SNAPSHOT = 1 << 12,
    FLAG_CACHEABLE = 1 << 13,
    FLAG_CWD_TRUNCATED = 1 << 14,
    FLAG_STAND_IN = 1 << 15,
};

/* Also nouns.Origin, in decode/layout.py's order. */
enum file_origin {
    ORIGIN_UNKNOWN = 0,
    ORIGIN_IMAGE = 1,
    ORIGIN_WRITABLE = 2,
    ORIGIN_COPYUP = 3,
    ORIGIN_ROOTFS = 4,
    ORIGIN_VOLUME = 5,
    ORIGIN_TMPFS = 6,
    ORIGIN_PSEUDO = 7,
    ORIGIN_MEMFD = 8,
    ORIGIN_DELETED = 9,
    ORIGIN_HOST = 10,
};

/* Also nouns.Access. */
enum file_access {
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
    ACCESS_CREATE = 4,
    ACCESS_TRUNCATE = 8,
    ACCESS_APPEND = 16,
};

/* What must still hold for a cached verdict to stand. */
enum verdict_check {
    CHECK_CHANGE_TIME = 1, /* contents matter: code, and files of the image */
    CHECK_CHAIN = 2,       /* a directory above may be renamed: compare the names of all ancestors */
    CHECK_LOWER = 8,       /* overlay: still in the image's layer, whose contents nobody in the container changes */
    CHECK_OVERLAY = 4,     /* with CHECK_CHANGE_TIME: the contents may lie in the upper layer's inode */
};

/* Key of the verdict cache for opens and loads. */
struct file_key {
    unsigned long long subject; /* cgroup id of the container */
    unsigned long long dentry;
    unsigned long long mount; /* struct vfsmount */
    unsigned int epoch;
    unsigned int what; /* record_kind << 8 | ACCESS_READ, ACCESS_WRITE, ACCESS_TRUNCATE */
};

/* What the file was when the verdict was made; see verdict_check. */
struct file_value {
    unsigned long long inode; /* struct inode */
    unsigned long long number;
    unsigned long long name_hash; /* d_name.hash_len, salted with the parent's address by the kernel */
    unsigned long long chain_hash;
    unsigned long long change_time; /* ctime, seconds << 30 | nanoseconds */
    unsigned int checks;
    unsigned int pad;
};

/* Key of the verdict cache for execs; its value is an exec_value. */
struct exec_key {
    unsigned long long subject;
    unsigned long long dentry;
    unsigned long long mount;
    unsigned long long by_dentry; /* executable this process ran before; 0: the container runtime */
    unsigned long long by_number;
    unsigned long long by_name_hash;
    unsigned int epoch;
    unsigned int flags; /* FLAG_ENTERED | FLAG_IS_INIT | FLAG_FOREIGN_MOUNT_NS */
    unsigned int environment;
    unsigned int stdio;
    char invoked[INVOKED_BYTES];
    char argv0[INVOKED_BYTES];
};

/* What the executable was, and the exec_id under which this exec was told: it stands in for those that are not. */
struct exec_value {
    struct file_value file;
    unsigned long long told;
};

/* Key of the verdict cache for connects. */
struct connect_key {
    unsigned long long subject;
    unsigned int epoch;
    unsigned short port; /* host order */
    unsigned char family;
    unsigned char protocol;
    unsigned char address[16];
};

struct record_header {
    unsigned short abi;
    unsigned char kind;
    unsigned char hook; /* enum hook */
    unsigned int flags;
    unsigned long long kernel_ns; /* CLOCK_MONOTONIC */
    unsigned long long cgroup;
    unsigned long long subject;
    unsigned long long exec_id;  /* program image the process runs, 0: none seen; see FLAG_STAND_IN */
    unsigned long long start_ns; /* of the thread group leader, since boot */
    unsigned int pid;
    unsigned int tid;
    unsigned int ppid;
    unsigned int uid;
    unsigned int gid;
    unsigned int euid;
    unsigned int epoch;
    unsigned int pad;
    char comm[COMM_BYTES];
};

struct file_part {
    struct file_key key;
    struct file_value value;
    unsigned long long size;
    unsigned int device;
    unsigned int links;
    unsigned int mode;
    unsigned short path_bytes;
    unsigned char origin;
    unsigned char access;
};

/* Followed by path_bytes of path. */
struct open_record {
    struct record_header header;
    struct file_part file;
};

/* Followed by path_bytes (file), cwd_bytes (a path as well), argv_bytes, invoked_bytes, interpreter_bytes. */
struct exec_record {
    struct record_header header;
    struct file_part file;
    struct exec_key key;
    unsigned long long by_exec_id;
    unsigned long long capabilities;
    unsigned int environment; /* bit per name, see probe/environment.py */
    unsigned short cwd_bytes;
    unsigned short argv_bytes;
    unsigned short invoked_bytes;
    unsigned short interpreter_bytes;
    unsigned char inet_stdio;
    unsigned char unix_stdio;
    unsigned char pad[2];
    char tty[TTY_BYTES];
};

/* Followed by path_bytes of path or name (Unix sockets). */
struct connect_record {
    struct record_header header;
    struct connect_key key;
    int result; /* errno as a positive number, 0 success, -1 unknown */
    unsigned short path_bytes;
    unsigned char abstract; /* 1: abstract Unix socket, the name follows as it is */
    unsigned char pad;
};

/* Followed by path_bytes of path as the kernel prints it. */
struct cgroup_record {
    struct record_header header;
    unsigned long long parent;
    unsigned short path_bytes;
    unsigned char pad[6];
};

/* Followed by dns_bytes of the DNS message. The header names no process: the answer belongs to a socket. */
struct dns_record {
    struct record_header header;
    unsigned char server[16]; /* whom the answer came from */
    unsigned short whole;     /* bytes of the whole message */
    unsigned short dns_bytes;
    unsigned char family;
    unsigned char pad[3];
};

_Static_assert(sizeof(struct file_key) == 32, "file_key");
_Static_assert(sizeof(struct file_value) == 48, "file_value");
_Static_assert(sizeof(struct exec_key) == 192, "exec_key");
_Static_assert(sizeof(struct exec_value) == 56, "exec_value");
_Static_assert(sizeof(struct connect_key) == 32, "connect_key");
_Static_assert(sizeof(struct record_header) == 96, "record_header");
_Static_assert(sizeof(struct file_part) == 104, "file_part");
_Static_assert(sizeof(struct open_record) == 200, "open_record");
_Static_assert(sizeof(struct exec_record) == 440, "exec_record");
_Static_assert(sizeof(struct connect_record) == 136, "connect_record");
_Static_assert(sizeof(struct cgroup_record) == 112, "cgroup_record");
_Static_assert(sizeof(struct dns_record) == 120, "dns_record");

#endif
