/* SPDX-License-Identifier: GPL-2.0-only */
/* DNS answers that reach a container by UDP: cgroup_skb ingress on the cgroup2 root.
 *
 * Why here: the packet is at the socket that asked, so its cgroup is the container's, and address translation is
 * undone, so the server is the one the program knows; resolvers on the loopback included. tc sees packets of no
 * container, and probes on getaddrinfo one libc of many. Always returns 1 (let it pass).
 *
 * Every packet to every socket of the node comes by: all but a few leave after the first comparisons. Answers without
 * addresses to tell (questions, errors, no records) end here as well, and are no loss.
 */

#define PROTOCOL_UDP 17
#define UDP_HEADER 8
#define DNS_HEADER 12
#define IPV4_HEADER 20
#define IPV6_HEADER 40

/* Offset of the UDP payload if the packet comes from port 53, else 0. The kernel has the headers of IP and UDP in one
 * piece by now. IPv6 extension headers are not followed: resolvers send none. */
static __always_inline u32 message_offset(struct __sk_buff *skb)
{
    u8 *start = (u8 *)(long)skb->data, *end = (u8 *)(long)skb->data_end;
    if (start + IPV4_HEADER + UDP_HEADER > end)
        return 0;
    u32 header = IPV6_HEADER;
    if (*start >> 4 == 4) {
        if (start[9] != PROTOCOL_UDP)
            return 0;
        header = (*start & 15) * 4;
    } else if (start[6] != PROTOCOL_UDP) {
        return 0;
    }
    u8 *udp = start + header;
    if (udp + UDP_HEADER > end || *(u16 *)udp != bpf_htons(DNS_PORT))
        return 0;
    return header + UDP_HEADER;
}

/* Whether this socket asked a DNS server: connected to port 53, or noted by the sendmsg hooks. Whoever throws packets
 * from port 53 at a container's open ports teaches it no names. */
static __always_inline bool has_asked(struct __sk_buff *skb)
{
    struct bpf_sock *socket = skb->sk;
    if (socket && (u16)socket->dst_port == bpf_htons(DNS_PORT))
        return true;
    u64 cookie = bpf_get_socket_cookie(skb);
    return asked.lookup(&cookie);
}

/* A response to an ordinary query, without error, with records in its answer section (RFC 1035, 4.1.1). */
static __always_inline bool has_answers(struct __sk_buff *skb, u32 at)
{
    u8 head[DNS_HEADER];
    if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
        return false;
    return (head[2] & 0xf8) == 0x80 && !(head[3] & 15) && (head[6] | head[7]);
}

static __always_inline void send_answer(struct __sk_buff *skb, struct dns_scratch *scratch, u32 at, u64 cgroup,
                                        struct traced_cgroup *traced)
{
    struct dns_record *record = &scratch->record;
    __builtin_memset(record, 0, sizeof(*record));
    record->header.abi = RECORD_ABI;
    record->header.kind = RECORD_DNS;
    record->header.hook = HOOK_DNS;
    record->header.kernel_ns = bpf_ktime_get_ns();
    record->header.cgroup = cgroup;
    record->header.subject = traced->subject;
    record->header.epoch = traced->epoch;
    u32 whole = skb->len - at;
    u32 length = hide(whole > DNS_BYTES ? DNS_BYTES : whole) & 0x7ff;
    record->whole = whole;
    record->dns_bytes = length;
    bool six = skb->protocol == bpf_htons(0x86dd);
    record->family = six ? 10 : 2;
    long failed = six ? bpf_skb_load_bytes(skb, 8, record->server, 16) : bpf_skb_load_bytes(skb, 12, record->server, 4);
    if (failed || length < DNS_HEADER || length > DNS_BYTES || bpf_skb_load_bytes(skb, at, scratch->message, length)) {
        count(HOOK_DNS, LOSS_READ_FAULT);
        return;
    }
    u32 bytes = hide(sizeof(*record) + length) & 0x7ff;
    if (bytes > sizeof(*scratch))
        return;
    if (actions.ringbuf_output(scratch, bytes, 0))
        count(HOOK_DNS, LOSS_RING_FULL);
    else
        count(HOOK_DNS, COUNT_SENT);
}

static __always_inline struct dns_scratch *claim_dns(void)
{
#pragma clang loop unroll(disable)
    for (u32 n = 0; n < SCRATCHES; n++) {
        u32 slot = n;
        struct dns_scratch *scratch = dns_scratch.lookup(&slot);
        if (scratch && claim(&scratch->users))
            return scratch;
    }
    count(HOOK_DNS, LOSS_SCRATCH);
    return 0;
}

int on_dns(struct __sk_buff *skb)
{
    u32 at = message_offset(skb);
    if (!at)
        return 1;
    u64 cgroup = bpf_skb_cgroup_id(skb);
    struct traced_cgroup *traced = traced_cgroups.lookup(&cgroup);
    if (!traced || !has_asked(skb) || !has_answers(skb, at))
        return 1;
    u64 subject_id = traced->subject;
    if (!take_token(subjects.lookup(&subject_id), HOOK_DNS, BUCKET_DNS))
        return 1;
    struct dns_scratch *scratch = claim_dns();
    if (!scratch)
        return 1;
    send_answer(skb, scratch, at, cgroup, traced);
    release(&scratch->users);
    return 1;
}
