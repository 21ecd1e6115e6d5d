/*
 * The load generator: thousands of open pages and a few people who write, in one thread, over loopback.
 *
 *     load PORT READERS POSTS [name=value ...] [pid=NUMBER ...]
 *
 * READERS and POSTS are files of requests as they go over the wire, each behind a line "room length". So this program
 * knows nothing of paths, cookies and forms. The first file has a request for each page that is opened: Server-Sent
 * Events, or with websocket=1 a WebSocket. Message number n is the (n modulo their count)th request of the second; in
 * it each MARKER is replaced by the message's number and the microsecond in which it was due. Markers are then looked
 * for in whatever arrives, so the framing does not matter, and delay is one clock's business.
 *
 * One after the other: post `before` messages; open all pages; be quiet for `idle` ms; post `warm` messages; post
 * `messages` and measure. The result is a line of JSON. Numbers are whole, times are in milliseconds unless named.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MARKER "~SSSSSSSStTTTTTTTTTTTTTTTT~" /* letters, a digit's width each: no form, JSON or HTML has to escape it */
#define MARKER_LENGTH (sizeof MARKER - 1)
#define MARGIN 64 /* room before what is read, for the beginning of a marker that came with the read before */
#define MOST_PIDS 32
#define RETRY_US 200000
#define IDLE_US 2000000 /* servers close a connection that was kept for nothing, perhaps just when it is used again */

/* Options. */

static long websocket = 0;   /* pages are WebSockets, and who writes does so over the page's own */
static long posters = 16;    /* at most so many write at once; each waits for the answer before writing again */
static long before = 0;      /* messages posted before any page is open, which pages then get when they open */
static long warm = 0;        /* messages that are not measured */
static long messages = 0;    /* messages that are measured */
static long rate = 0;        /* of those, how many a second; 0: as fast as answers come */
static long window = 0;      /* at most so many messages that have not reached all their pages; 0: any number */
static long opening_at_once = 40; /* pages that are being opened at the same time; Twisted lets 50 wait */
static long settle = 500;    /* pause when all are open */
static long idle = 0;
static long opening = 300000; /* pages that have not been opened after so long stay closed */
static long lasting = 60000; /* nothing is posted after so long, measured or not */
static long quiet = 10000;   /* nothing came for so long: what has not come by now is lost */

static const struct { const char *name; long *value; } options[] = {
    {"websocket", &websocket}, {"posters", &posters}, {"before", &before}, {"warm", &warm},
    {"messages", &messages}, {"rate", &rate}, {"window", &window}, {"opening_at_once", &opening_at_once},
    {"settle", &settle}, {"idle", &idle}, {"quiet", &quiet}, {"opening", &opening}, {"lasting", &lasting},
};

/* What there is. */

struct request { int room; size_t length; char *bytes; };

struct room { int readers, first_reader, arrived; long missed; };

struct message { int room, awaited, place; bool is_posted; };

struct connection {
    int fd, room;
    enum { CLOSED, CONNECTING, HEAD, OPEN, LOST } state;
    bool is_poster, is_live;
    const struct request *request;
    uint64_t retry_at, used_at;
    char *out; size_t out_length;            /* what the socket did not take yet */
    char *in; size_t in_length, in_size;     /* an answer that is not complete yet */
    char carry[MARKER_LENGTH]; size_t carried; /* the end of what was read, when a marker may begin there */
    unsigned char header[14]; int header_length; uint64_t frame_left; char ping[125]; int ping_length; /* WebSocket */
    long posting;                            /* the message that waits for its answer, or -1 */
    long received; int last_place; unsigned char *has; /* which messages came, a bit each */
};

static struct request *opens, *posts;
static long reader_count, post_count, total;
static struct room *rooms;
static int room_count;
static struct message *log_;
static struct connection *readers, *writers;
static struct sockaddr_in server;
static int poll_fd;
static pid_t pids[MOST_PIDS];
static int pid_count;

/* What happened. */

static long live, dropped, retries, refused, posted, answered, failed, completed, first_counted;
static uint64_t deliveries, counted, repeated, reordered, strange, bytes_read, last_progress, last_counted, last_answer;
static char last_error[120] = "";

static uint64_t now_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

static void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    exit(2);
}

static void *cleared(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) die("out of memory");
    return memory;
}

/* Delays are counted in buckets, 32 for each doubling: exact to 3 %. */

enum { BUCKETS = 64 * 32 };
struct histogram { uint64_t counts[BUCKETS], count, largest; };
static struct histogram delays, openings;

static void note(struct histogram *h, uint64_t value) {
    int doublings = value < 64 ? 0 : 58 - __builtin_clzll(value);
    h->counts[doublings * 32 + (value >> doublings)]++;
    h->count++;
    if (value > h->largest) h->largest = value;
}

/* In milliseconds. */
static double percentile(const struct histogram *h, double share) {
    uint64_t seen = 0, wanted = share * h->count;
    for (int i = 0; i < BUCKETS; i++) {
        int doublings = i < 64 ? 0 : i / 32 - 1;
        if ((seen += h->counts[i]) > wanted) return ((uint64_t)(i - doublings * 32) << doublings) / 1e3;
    }
    return h->largest / 1e3;
}

/* What the server's processes use. */

struct usage { double cpu; long memory; uint64_t at; double own_cpu; };

static struct usage usage(void) {
    struct usage sum = {.at = now_us()};
    struct timespec used;
    clockid_t clock;
    for (int i = 0; i < pid_count; i++) {
        /* The clock of the process counts its threads too, and those that have ended. */
        if (clock_getcpuclockid(pids[i], &clock) == 0 && clock_gettime(clock, &used) == 0)
            sum.cpu += used.tv_sec + used.tv_nsec / 1e9;
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/statm", pids[i]);
        FILE *file = fopen(path, "r");
        long resident = 0;
        if (file && fscanf(file, "%*d %ld", &resident) == 1) sum.memory += resident * (sysconf(_SC_PAGESIZE) / 1024);
        if (file) fclose(file);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    sum.own_cpu = used.tv_sec + used.tv_nsec / 1e9;
    return sum;
}

/* Connections. */

static void watch(struct connection *c, int operation) {
    bool writes = c->state == CONNECTING || c->out_length;
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poll_fd, operation, c->fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

static void end(struct connection *c, const char *why) {
    struct linger at_once = {.l_onoff = 1};  /* no TIME_WAIT: the ports are needed for the next round */
    if (why) snprintf(last_error, sizeof last_error, "%s", why);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
    free(c->out);
    c->out = NULL;
    c->out_length = c->in_length = c->carried = c->header_length = c->frame_left = 0;
    if (c->posting >= 0) failed++;
    c->posting = -1;
    if (c->is_live) {
        dropped++;
        c->state = LOST;
    } else {
        if (!c->is_poster) retries++;
        c->state = CLOSED;
        c->retry_at = now_us() + RETRY_US;
    }
}

static void begin(struct connection *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->state = CONNECTING;
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        return end(c, strerror(errno));
    watch(c, EPOLL_CTL_ADD);
}

static void flush(struct connection *c) {
    ssize_t sent = send(c->fd, c->out, c->out_length, MSG_NOSIGNAL);
    if (sent > 0) memmove(c->out, c->out + sent, c->out_length -= sent);
    watch(c, EPOLL_CTL_MOD);
}

static void write_to(struct connection *c, const char *bytes, size_t length) {
    if (!c->out_length) {
        ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) bytes += sent, length -= sent;
        if (!length) return;
    }
    c->out = realloc(c->out, c->out_length + length);
    memcpy(c->out + c->out_length, bytes, length);
    c->out_length += length;
    watch(c, EPOLL_CTL_MOD);
}

/* Messages arrive. */

static void settled(struct connection *poster, uint64_t now, bool is_taken) {
    if (is_taken) answered++, last_answer = now; else failed++;
    poster->posting = -1;
    last_progress = now;
}

/* All pages of a room must see the same order, whichever it is: that in which the messages arrived anywhere first. */
static bool is_in_order(struct connection *c, struct message *message) {
    if (message->place < 0) message->place = rooms[message->room].arrived++;
    bool in_order = message->place > c->last_place;
    if (in_order) c->last_place = message->place;
    return in_order;
}

static void check_live(struct connection *c, uint64_t now, uint64_t begun);
static uint64_t opening_since;

static void arrived(struct connection *c, long number, uint64_t due, uint64_t now) {
    if (number >= total || !log_[number].is_posted || log_[number].room != c->room) { strange++; return; }
    if (c->has[number / 8] >> number % 8 & 1) { repeated++; return; }
    c->has[number / 8] |= 1 << number % 8;
    struct message *message = &log_[number];
    if (!is_in_order(c, message)) reordered++;
    deliveries++;
    c->received++;
    last_progress = now;
    if (--message->awaited == 0) completed++;
    if (number >= first_counted) {
        counted++;
        last_counted = now;
        note(&delays, now > due ? now - due : 0);
    }
    if (c->posting == number) settled(c, now, true);
    if (!c->is_live) check_live(c, now, opening_since);
}

static bool is_marker(const char *at) {
    for (size_t i = 1; i < MARKER_LENGTH - 1; i++)
        if (i == 9 ? at[i] != 't' : at[i] < '0' || at[i] > '9') return false;
    return at[MARKER_LENGTH - 1] == '~';
}

/* There must be MARGIN bytes before the text that may be written over. */
static void look_for_markers(struct connection *c, char *at, size_t length, uint64_t now) {
    char *stop = at + length;
    at -= c->carried;
    memcpy(at, c->carry, c->carried);
    c->carried = 0;
    while ((at = memchr(at, '~', stop - at))) {
        if (stop - at < (ptrdiff_t)MARKER_LENGTH) {
            c->carried = stop - at;
            memcpy(c->carry, at, c->carried);
            return;
        }
        if (is_marker(at)) {
            arrived(c, strtol(at + 1, NULL, 10), strtoull(at + 10, NULL, 10), now);
            at += MARKER_LENGTH;
        } else {
            at++;
        }
    }
}

static void pong(struct connection *c) {
    char frame[6 + sizeof c->ping] = {(char)0x8a, (char)(0x80 | c->ping_length)}; /* masked with zero */
    memcpy(frame + 6, c->ping, c->ping_length);
    write_to(c, frame, 6 + c->ping_length);
}

/* The header of a frame, byte by byte: true when that was the last one. A server does not mask. */
static bool takes_header(struct connection *c, unsigned char byte) {
    c->header[c->header_length++] = byte;
    if (c->header_length < 2) return false;
    int size = c->header[1], more = size < 126 ? 0 : size == 126 ? 2 : 8;
    if (c->header_length < 2 + more) return false;
    c->frame_left = more ? 0 : size;
    for (int i = 0; i < more; i++) c->frame_left = c->frame_left << 8 | c->header[2 + i];
    c->ping_length = 0;
    return true;
}

static void unframe(struct connection *c, char *at, size_t length, uint64_t now) {
    while (length) {
        if (!c->frame_left) {
            bool is_complete = takes_header(c, *at++);
            length--;
            if (!is_complete) continue;
        }
        int kind = c->header[0] & 15;
        size_t part = length < c->frame_left ? length : c->frame_left;
        if (kind <= 2) look_for_markers(c, at, part, now);
        for (size_t i = 0; kind == 9 && i < part && c->ping_length < 125; i++) c->ping[c->ping_length++] = at[i];
        at += part, length -= part, c->frame_left -= part;
        if (c->frame_left) return;
        c->header_length = 0;
        if (kind == 9) pong(c);
    }
}

/* Answers. */

static void check_live(struct connection *c, uint64_t now, uint64_t begun) {
    if (c->state != OPEN || c->received < rooms[c->room].missed) return;
    c->is_live = true;
    live++;
    note(&openings, now - begun);
}

static void keep(struct connection *c, const char *bytes, size_t length) {
    if (c->in_length + length + 1 > c->in_size) c->in = realloc(c->in, c->in_size = c->in_length + length + 4096);
    memcpy(c->in + c->in_length, bytes, length);
    c->in_length += length;
    c->in[c->in_length] = 0;
}

static void read_reader_head(struct connection *c, uint64_t now) {
    char *rest = strstr(c->in, "\r\n\r\n");
    if (!rest) return;
    int status = atoi(c->in + 9);
    if (status != 200 && status != 101) {
        char why[40];
        snprintf(why, sizeof why, "status %d for a page", status);
        refused++;
        return end(c, why);
    }
    c->state = OPEN;
    rest += 4;
    (websocket ? unframe : look_for_markers)(c, rest, c->in + c->in_length - rest, now);
    free(c->in);
    c->in = NULL, c->in_size = c->in_length = 0;
    if (!c->is_live) check_live(c, now, opening_since);
}

static void read_answer(struct connection *c, uint64_t now) {
    char *body = strstr(c->in, "\r\n\r\n");
    if (!body) return;
    int status = atoi(c->in + 9);
    *body = 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    *body = '\r';
    if (!length && status != 204) die("an answer without a length: %.200s", c->in);
    if (c->in + c->in_length < body + 4 + (length ? atol(length + 17) : 0)) return;
    bool is_taken = status >= 200 && status < 400;
    if (!is_taken) snprintf(last_error, sizeof last_error, "status %d for a post", status);
    c->in_length = 0;
    settled(c, now, is_taken);
}

static void read_from(struct connection *c) {
    static char buffer[MARGIN + (1 << 18)];
    char *bytes = buffer + MARGIN;
    ssize_t length = recv(c->fd, bytes, sizeof buffer - MARGIN, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) return end(c, length ? strerror(errno) : "the server closed a connection");
    uint64_t now = now_us();
    if (c->is_poster) {
        keep(c, bytes, length);
        read_answer(c, now);
    } else if (c->state == OPEN) {
        bytes_read += length;
        (websocket ? unframe : look_for_markers)(c, bytes, length, now);
    } else {
        keep(c, bytes, length);
        read_reader_head(c, now);
    }
}

static void connected(struct connection *c) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) return end(c, strerror(error));
    c->state = c->is_poster ? OPEN : HEAD;
    c->used_at = now_us();
    watch(c, EPOLL_CTL_MOD);
    if (c->request) write_to(c, c->request->bytes, c->request->length);
}

static void turn(int wait_ms) {
    static struct epoll_event events[1024];
    int count = epoll_wait(poll_fd, events, 1024, wait_ms);
    for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->state == CONNECTING) {
            connected(c);
            continue;
        }
        if (events[i].events & EPOLLOUT) flush(c);
        if (events[i].events & ~EPOLLOUT) read_from(c);
    }
}

static void pause_for(long ms) {
    for (uint64_t until = now_us() + ms * 1000; now_us() < until;) turn(10);
}

/* Once in a while: what failed is tried again. */
static void retry(struct connection *all, long count) {
    uint64_t now = now_us();
    for (long i = 0; i < count; i++)
        if (all[i].state == CLOSED && all[i].retry_at && all[i].retry_at < now) begin(&all[i]);
}

static void renew_writers(void) {
    for (long i = 0; !websocket && i < posters; i++) {
        struct connection *c = &writers[i];
        if (c->state != OPEN || c->posting >= 0 || now_us() - c->used_at < IDLE_US) continue;
        end(c, NULL);
        begin(c);
    }
    retry(writers, posters);
}

static void open_all(void) {
    long begun = 0;
    uint64_t until = now_us() + opening * 1000, checked = 0;
    opening_since = now_us();
    while (live + dropped < reader_count && now_us() < until) {
        for (int i = 0; i < 64 && begun < reader_count && begun - live - dropped < opening_at_once; i++)
            begin(&readers[begun++]);
        bool is_full = begun == reader_count || begun - live - dropped >= opening_at_once;
        turn(is_full ? 10 : 0);
        if (now_us() - checked > 50000) retry(readers, begun), checked = now_us();
    }
}

/* Posting. */

static struct connection *free_poster(long number) {
    struct connection *all = writers;
    long count = posters;
    if (websocket) { /* the first people of the room */
        struct room *room = &rooms[posts[number % post_count].room];
        all = readers + room->first_reader;
        if (room->readers < count) count = room->readers;
    }
    for (long i = 0; i < count; i++) {
        struct connection *c = &all[(number + i) % count];
        if (c->state == OPEN && c->posting < 0 && (c->is_live || c->is_poster)) return c;
    }
    return NULL;
}

static void post(struct connection *c, long number, uint64_t due) {
    static char bytes[1 << 16];
    const struct request *request = &posts[number % post_count];
    char marker[64];
    snprintf(marker, sizeof marker, "~%08ldt%016llu~", number, (unsigned long long)due);
    memcpy(bytes, request->bytes, request->length);
    for (char *at = bytes; (at = memmem(at, bytes + request->length - at, MARKER, MARKER_LENGTH));)
        memcpy(at, marker, MARKER_LENGTH);
    log_[number] = (struct message){request->room, rooms[request->room].readers, -1, true};
    c->posting = number;
    posted++;
    last_progress = c->used_at = now_us();
    write_to(c, bytes, request->length);
}

/* When the message is due that is posted next, 0 for whenever somebody is free. */
static uint64_t due(uint64_t begun, long from, long a_second) {
    return a_second ? begun + (posted - from) * 1000000 / a_second : 0;
}

/* Post so many and wait for all the answers, and until they have come to all pages that are open. */
static void post_all(long count, long a_second) {
    uint64_t begun = now_us(), checked = 0, now;
    long from = posted, last = posted + count, already = answered + failed;
    bool is_heard = live > 0;
    last_progress = begun;
    renew_writers();
    while (true) {
        struct connection *c;
        now = now_us();
        if (now > begun + lasting * 1000) last = posted;
        while (posted < last && due(begun, from, a_second) <= now && !(window && posted - completed >= window) &&
               (c = free_poster(posted)))
            post(c, posted, a_second ? due(begun, from, a_second) : now_us());
        bool is_answered = answered + failed - already == posted - from;
        if (posted == last && is_answered && (!is_heard || completed == posted)) return;
        if (now > last_progress + quiet * 1000 && (posted == last || !a_second)) return;
        uint64_t next = due(begun, from, a_second);
        turn(posted < last && next > now && next - now < 5000 ? (int)((next - now) / 1000) : 5);
        if (now - checked > 100000) renew_writers(), checked = now;
    }
}

/* Beginning and end. */

static struct request *read_requests(const char *path, long *count) {
    struct request *all = NULL, one;
    FILE *file = fopen(path, "r");
    if (!file) die("%s: %s", path, strerror(errno));
    for (*count = 0; fscanf(file, "%d %zu", &one.room, &one.length) == 2 && fgetc(file) == '\n'; ++*count) {
        one.bytes = cleared(one.length, 1);
        if (fread(one.bytes, 1, one.length, file) != one.length) die("%s ends in a request", path);
        if (one.room >= room_count) room_count = one.room + 1;
        all = realloc(all, (*count + 1) * sizeof *all);
        all[*count] = one;
    }
    fclose(file);
    return all;
}

static void read_options(int count, char **words) {
    if (count < 4) die("usage: load PORT READERS POSTS [name=value ...]");
    server = (struct sockaddr_in){AF_INET, htons(atoi(words[1])), {htonl(INADDR_LOOPBACK)}, {0}};
    opens = read_requests(words[2], &reader_count);
    posts = read_requests(words[3], &post_count);
    for (int i = 4; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (!value) die("%s is not name=value", words[i]);
        *value++ = 0;
        bool is_known = !strcmp(words[i], "pid") && pid_count < MOST_PIDS;
        if (is_known) pids[pid_count++] = atoi(value);
        for (size_t o = 0; o < sizeof options / sizeof *options; o++)
            if (!strcmp(words[i], options[o].name)) *options[o].value = atol(value), is_known = true;
        if (!is_known) die("there is no option %s", words[i]);
    }
}

static void make_room(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((long)files.rlim_cur < reader_count + posters + 16) die("only %ld files may be open", (long)files.rlim_cur);
    total = before + warm + messages;
    first_counted = before + warm;
    if (total && !post_count) die("there is nothing to post");
    log_ = cleared(total, sizeof *log_);
    rooms = cleared(room_count, sizeof *rooms);
    readers = cleared(reader_count, sizeof *readers);
    writers = cleared(posters, sizeof *writers);
    for (long i = 0; i < reader_count; i++) {
        struct room *room = &rooms[opens[i].room];
        if (!room->readers++) room->first_reader = i;
        unsigned char *has = cleared((total + 7) / 8, 1);
        readers[i] = (struct connection){.request = &opens[i], .room = opens[i].room, .posting = -1,
                                         .last_place = -1, .has = has};
    }
    for (long i = 0; i < before; i++) rooms[posts[i % post_count].room].missed++;
    for (long i = 0; i < posters; i++) writers[i] = (struct connection){.is_poster = true, .posting = -1};
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    read_options(count, words);
    make_room();
    poll_fd = epoll_create1(0);
    for (long i = 0; !websocket && i < posters; i++) begin(&writers[i]);
    post_all(before, 0);

    struct usage closed = usage();
    open_all();
    double opening_ms = (now_us() - opening_since) / 1e3;
    long opened = live;
    struct usage open = usage();
    pause_for(settle);
    struct usage resting = usage();
    pause_for(idle);
    struct usage rested = usage();

    post_all(warm, rate);
    first_counted = posted;
    uint64_t read_before = bytes_read, answered_before = answered;
    struct usage start = usage();
    post_all(messages, rate);
    struct usage stop = usage();

    uint64_t expected = 0;
    for (long i = 0; i < posted; i++) expected += rooms[log_[i].room].readers;
    double seconds = last_counted > start.at ? (last_counted - start.at) / 1e6 : 0;
    double answering = last_answer > start.at ? (last_answer - start.at) / 1e6 : 0;
    printf("{\"opened\": %ld, \"opening_ms\": %.1f, \"opening_p50_ms\": %.1f, \"retries\": %ld, \"refused\": %ld, "
           "\"dropped\": %ld, \"posted\": %ld, \"failed\": %ld, \"deliveries\": %lu, \"lost\": %ld, \"repeated\": %lu, "
           "\"reordered\": %lu, \"strange\": %lu, ",
           opened, opening_ms, percentile(&openings, 0.5), retries, refused, dropped, posted, failed, deliveries,
           (long)(expected - deliveries), repeated, reordered, strange);
    printf("\"counted\": %lu, \"seconds\": %.4f, \"posts_a_second\": %.2f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"max_ms\": %.3f, \"bytes\": %lu, ",
           counted, seconds, answering ? (answered - answered_before) / answering : 0, percentile(&delays, 0.5),
           percentile(&delays, 0.99), delays.largest / 1e3, bytes_read - read_before);
    printf("\"cpu\": %.4f, \"own_cpu\": %.4f, \"measured_seconds\": %.4f, \"opening_cpu\": %.4f, \"idle_cpu\": %.4f, "
           "\"memory_closed\": %ld, \"memory_open\": %ld, \"memory_rested\": %ld, \"memory_end\": %ld, "
           "\"last_error\": \"%s\"}\n",
           stop.cpu - start.cpu, stop.own_cpu - start.own_cpu, (stop.at - start.at) / 1e6, open.cpu - closed.cpu,
           rested.cpu - resting.cpu, closed.memory, resting.memory, rested.memory, stop.memory, last_error);

    struct linger at_once = {.l_onoff = 1};
    for (long i = 0; i < reader_count; i++)
        if (readers[i].state != CLOSED && readers[i].state != LOST)
            setsockopt(readers[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return 0;
}
