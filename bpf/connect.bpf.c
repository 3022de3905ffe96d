/* SPDX-License-Identifier: GPL-2.0-only */
/* Outbound connects and datagrams: cgroup/connect4, connect6, sendmsg4, sendmsg6 on the cgroup2 root.
 *
 * Why here: the kernel's own copy of the address, io_uring included, for TCP, connected UDP and sendto alike; works
 * without trampolines and kprobes. Always returns 1 (allow). The outcome is not known yet.
 */

static __always_inline void write_connect(void *ctx, struct connect_scratch *scratch, struct connect_key *key,
                                          u64 cgroup, struct traced_cgroup *traced)
{
    struct task_struct *task = CURRENT_TASK();
    struct connect_record *record = &scratch->record;
    u64 subject_id = traced->subject;
    struct process *process = fill_header(&record->header, task, RECORD_CONNECT, HOOK_CONNECT, cgroup, traced);
    if (!process && current_is_runtime(task, cgroup)) {
        count(HOOK_CONNECT, COUNT_RUNTIME_SETUP);
        return;
    }
    if (!take_token(subjects.lookup(&subject_id), HOOK_CONNECT, BUCKET_ACTIONS))
        return;
    record->key = *key;
    record->header.flags |= FLAG_CACHEABLE;
    record->result = -1;
    record->abstract = 0;
    scratch->offset = 0;
    send_connect(ctx, scratch, HOOK_CONNECT);
}

/* An unconnected socket asks a DNS server: only from such a one is an answer taken (dns.bpf.c). */
static __always_inline void note_question(struct bpf_sock_addr *ctx)
{
    u64 cookie = bpf_get_socket_cookie(ctx);
    u8 yes = 1;
    asked.update(&cookie, &yes);
}

static __always_inline int see_connect(struct bpf_sock_addr *ctx, u8 family, bool unconnected)
{
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return 1;
    if (unconnected && ctx->user_port == bpf_htons(DNS_PORT))
        note_question(ctx);
    struct connect_key key = {};
    key.subject = traced->subject;
    key.epoch = traced->epoch;
    key.family = family;
    key.protocol = ctx->protocol;
    key.port = bpf_ntohs(ctx->user_port);
    if (family == 2) {
        *(u32 *)key.address = ctx->user_ip4;
    } else {
        u32 *to = (u32 *)key.address;
        to[0] = ctx->user_ip6[0];
        to[1] = ctx->user_ip6[1];
        to[2] = ctx->user_ip6[2];
        to[3] = ctx->user_ip6[3];
    }
    if (known_connects.lookup(&key)) {
        count(HOOK_CONNECT, COUNT_KNOWN);
        return 1;
    }
    struct connect_scratch *scratch = claim_connect(HOOK_CONNECT);
    if (!scratch)
        return 1;
    write_connect(ctx, scratch, &key, cgroup, traced);
    release(&scratch->users);
    return 1;
}

int on_connect4(struct bpf_sock_addr *ctx)
{
    return see_connect(ctx, 2, false);
}

int on_connect6(struct bpf_sock_addr *ctx)
{
    return see_connect(ctx, 10, false);
}

int on_sendmsg4(struct bpf_sock_addr *ctx)
{
    return see_connect(ctx, 2, true);
}

int on_sendmsg6(struct bpf_sock_addr *ctx)
{
    return see_connect(ctx, 10, true);
}
