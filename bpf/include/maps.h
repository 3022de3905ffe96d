/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map, with who writes, who deletes, and what happens when it is full. */

/* Which cgroups are traced. Key: cgroup2 id. Written by the mkdir hook (new containers) and by user space (those that
 * ran before, new epochs); deleted by the rmdir hook. Full: LOSS_CGROUPS_FULL, the container is not traced. */
struct traced_cgroup {
    u64 subject; /* the container's cgroup; a nested one has its parent's */
    u32 epoch;   /* part of every cache key: a new one empties the subject's part of the cache */
    u32 tree;    /* 1: holds containers, is none itself */
};
BPF_TABLE("hash", u64, struct traced_cgroup, traced_cgroups, 16384);

/* Top-level cgroup directories whose descendants are containers. Key: name, NUL-padded. Written by user space. */
struct root_name {
    char name[64];
};
BPF_TABLE("hash", struct root_name, u8, watched_roots, 64);

/* Token buckets of a container. DNS answers have their own: a flood of them must not hide an exec. */
enum bucket { BUCKET_FILES = 0, BUCKET_ACTIONS = 1, BUCKET_DNS = 2, BUCKETS = 3 };

/* State of each container. Key: its cgroup id. Written by the mkdir hook, the exec hook (init) and user space
 * (attached late); deleted by the rmdir hook. Full: as traced_cgroups. */
struct subject {
    u64 root_superblock; /* of the init's root directory: tells the image's file system from volumes */
    u64 init_start;      /* 0: no process has executed anything yet */
    u32 init_pid;
    u32 mount_ns;           /* inode number of the init's mount namespace */
    u64 next_ns[BUCKETS];   /* token buckets, see take_token */
    u64 held_back[BUCKETS]; /* events the buckets refused */
};
BPF_TABLE("hash", u64, struct subject, subjects, 16384);

/* Processes that executed something inside a container, and their children. Key: tgid. Written by the exec and fork
 * hooks and by user space (attached late); deleted by the exit hook. Full: LOSS_PROCESSES_FULL; events of such a
 * process carry FLAG_NO_LINEAGE and are never taken for runtime set-up. */
struct process {
    u64 start;
    u64 exec_id;
    u64 dentry; /* of the executable, with number and name_hash the "by" of its next exec */
    u64 number;
    u64 name_hash;
    u64 subject;
    u32 flags; /* FLAG_ENTERED, FLAG_IS_INIT, FLAG_STAND_IN */
    u32 pad;
};
BPF_TABLE("hash", u32, struct process, processes, 32768);

/* The verdict cache: behaviour known to the subject's baseline. Written by user space after a match; LRU: an evicted
 * entry costs one more match. */
BPF_TABLE("lru_hash", struct file_key, struct file_value, known_files, 131072);
BPF_TABLE("lru_hash", struct exec_key, struct exec_value, known_execs, 8192);
BPF_TABLE("lru_hash", struct connect_key, u8, known_connects, 16384);

#define DNS_PORT 53

/* Unconnected sockets of containers that sent a datagram to port 53. Key: socket cookie. Written by the sendmsg hooks,
 * read by the dns hook; LRU: of 4 096 such sockets the one that asked longest ago has had its answer. */
BPF_TABLE("lru_hash", u64, u8, asked, 4096);

/* This CPU's last verdicts on files, see is_known. Key: bits of the dentry's address. Written by the hooks; replaced by
 * whatever else falls on the same place. */
#define LAST_VERDICTS 256
struct verdict {
    struct file_key key;
    struct file_value value;
};
BPF_TABLE("percpu_array", u32, struct verdict, last_verdicts, LAST_VERDICTS);

/* Settings from user space. */
struct config {
    u64 interval_ns[BUCKETS]; /* token bucket: time one event costs */
    u64 burst_ns[BUCKETS];    /* how far a subject may run ahead */
    u32 chain_always;         /* overlay's redirect_dir is on: image directories can be renamed */
    u32 pad;
    u64 wall_ns; /* wall clock minus CLOCK_MONOTONIC, see changed_just_now */
};
BPF_TABLE("array", u32, struct config, config, 1);

/* Environment variables that change what code a program runs. Key: the first eight bytes of "NAME="; value: the next
 * sixteen, a mask of those that belong to the name, and its bit in exec_record.environment. Written by user space from
 * probe/environment.py. */
struct variable {
    u64 rest[2];
    u64 mask[2];
    u32 bit;
    u32 pad;
};
BPF_TABLE("hash", u64, struct variable, dangerous_environment, 64);

/* Counters per hook, see loss.h. */
BPF_TABLE("percpu_array", u32, u64, counters, HOOK_COUNT *COUNTERS);

/* Records under construction, one table per hook family, one value per CPU. LSM, fentry and cgroup programs can be
 * preempted by another of their family, which takes the next buffer (see claim); tracepoint programs cannot. All in
 * use: LOSS_SCRATCH. */
#define SCRATCHES 8
struct file_scratch {
    struct open_record record;
    char path[PATH_BYTES + NAME_BYTES];
    u32 offset;
    u32 users;
};
BPF_TABLE("percpu_array", u32, struct file_scratch, file_scratch, SCRATCHES);

#define EXEC_TEXT_BYTES (2 * PATH_BYTES + ARGV_BYTES + PATH_BYTES + NAME_BYTES)
struct exec_scratch {
    struct exec_record record;
    char text[EXEC_TEXT_BYTES + PATH_BYTES]; /* slack: a read may start at the last allowed offset */
    struct process by;                       /* what the process was before; all zero: none of ours */
    char variable[NAME_BYTES];
    u64 environment_at;
    u32 environment_start;
    u32 offset;
};
BPF_TABLE("percpu_array", u32, struct exec_scratch, exec_scratch, 1);

struct connect_scratch {
    struct connect_record record;
    char path[PATH_BYTES + NAME_BYTES];
    u32 offset;
    u32 users;
};
BPF_TABLE("percpu_array", u32, struct connect_scratch, connect_scratch, SCRATCHES);

struct dns_scratch {
    struct dns_record record;
    char message[DNS_BYTES];
    u32 users;
};
BPF_TABLE("percpu_array", u32, struct dns_scratch, dns_scratch, SCRATCHES);

struct cgroup_scratch {
    struct cgroup_record record;
    char path[PATH_BYTES];
    char name[NAME_BYTES]; /* classify()'s: in map memory the verifier sees unknown numbers and prunes */
    u32 run;
    u32 longest;
};
BPF_TABLE("percpu_array", u32, struct cgroup_scratch, cgroup_scratch, 1);

/* Two rings, so that a flood of opens never crowds out an exec. Full: LOSS_RING_FULL. */
BPF_RINGBUF_OUTPUT(actions, RING_ACTION_PAGES); /* execs, connects, cgroups, DNS answers */
BPF_RINGBUF_OUTPUT(files, RING_FILE_PAGES);     /* opens and loads */
