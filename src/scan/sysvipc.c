/* SPDX-License-Identifier: MIT */
#include "scan/sysvipc.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"

/* A column of one of the tables and where its number goes. */
struct column_type {
	const char *name;
	unsigned char base;  /* 10, 8 */
	bool is_signed;	     /* printed as a signed 32-bit number */
	unsigned char width; /* bytes of the member */
	unsigned char offset;
};

#define COLUMN(text, row, member, radix)                                                                     \
	{                                                                                                    \
		.name = (text), .base = (radix), .width = sizeof(((struct row *)0)->member),                 \
		.offset = offsetof(struct row, member)                                                       \
	}
#define KEY_COLUMN(row)                                                                                      \
	{                                                                                                    \
		.name = "key", .base = 10, .is_signed = true, .width = sizeof(uint32_t),                     \
		.offset = offsetof(struct row, perm.key)                                                     \
	}
#define PERM_COLUMNS(row, id_name)                                                                           \
	KEY_COLUMN(row), COLUMN(id_name, row, perm.id, 10), COLUMN("perms", row, perm.perms, 8),             \
		COLUMN("uid", row, perm.uid, 10), COLUMN("gid", row, perm.gid, 10),                          \
		COLUMN("cuid", row, perm.cuid, 10), COLUMN("cgid", row, perm.cgid, 10)

static const struct column_type shm_columns[] = {
	PERM_COLUMNS(sysv_shm_row, "shmid"),	    COLUMN("size", sysv_shm_row, size, 10),
	COLUMN("cpid", sysv_shm_row, cpid, 10),	    COLUMN("lpid", sysv_shm_row, lpid, 10),
	COLUMN("nattch", sysv_shm_row, nattch, 10), COLUMN("atime", sysv_shm_row, atime, 10),
	COLUMN("dtime", sysv_shm_row, dtime, 10),   COLUMN("ctime", sysv_shm_row, ctime, 10),
	COLUMN("rss", sysv_shm_row, rss, 10),	    COLUMN("swap", sysv_shm_row, swap, 10),
};

static const struct column_type sem_columns[] = {
	PERM_COLUMNS(sysv_sem_row, "semid"),
	COLUMN("nsems", sysv_sem_row, nsems, 10),
	COLUMN("otime", sysv_sem_row, otime, 10),
	COLUMN("ctime", sysv_sem_row, ctime, 10),
};

static const struct column_type msg_columns[] = {
	PERM_COLUMNS(sysv_msg_row, "msqid"),	  COLUMN("cbytes", sysv_msg_row, cbytes, 10),
	COLUMN("qnum", sysv_msg_row, qnum, 10),	  COLUMN("lspid", sysv_msg_row, lspid, 10),
	COLUMN("lrpid", sysv_msg_row, lrpid, 10), COLUMN("stime", sysv_msg_row, stime, 10),
	COLUMN("rtime", sysv_msg_row, rtime, 10), COLUMN("ctime", sysv_msg_row, ctime, 10),
};

static const struct table_type {
	const char *path;
	const struct column_type *columns;
	size_t ncolumns;
	size_t row_size;
} table_types[] = {
	[SYSV_SHM] = { "sysvipc/shm", shm_columns, ARRAY_SIZE(shm_columns), sizeof(struct sysv_shm_row) },
	[SYSV_SEM] = { "sysvipc/sem", sem_columns, ARRAY_SIZE(sem_columns), sizeof(struct sysv_sem_row) },
	[SYSV_MSG] = { "sysvipc/msg", msg_columns, ARRAY_SIZE(msg_columns), sizeof(struct sysv_msg_row) },
};

#define MOST_COLUMNS 32

/* The order in which this kernel prints the columns; NULL: not known here. */
struct layout {
	const struct column_type *at[MOST_COLUMNS];
	size_t count;
};

/* The columns without which a row means nothing: all but those added later. */
static bool is_optional(const struct column_type *c)
{
	return strcmp(c->name, "rss") == 0 || strcmp(c->name, "swap") == 0;
}

static int parse_head(struct sysv_table *t, struct layout *layout, struct span line)
{
	const struct table_type *type = &table_types[t->kind];
	struct span word;

	*layout = (struct layout){ 0 };
	t->columns = 0;
	while (next_word(&line, &word)) {
		if (layout->count == MOST_COLUMNS)
			return -EINVAL;
		for (size_t i = 0; i < type->ncolumns; i++)
			if (span_is(word, type->columns[i].name)) {
				layout->at[layout->count] = &type->columns[i];
				t->columns |= (uint64_t)1 << i;
			}
		layout->count++;
	}
	for (size_t i = 0; i < type->ncolumns; i++)
		if (!(t->columns >> i & 1) && !is_optional(&type->columns[i]))
			return -EINVAL;
	return 0;
}

/* A word's digits into *out, in two's complement if negative. False if it is
 * no number, or does not fit into width bytes. */
static bool parse_number(struct span word, const struct column_type *c, uint64_t *out)
{
	const char *p = word.ptr, *end = p + word.len;
	bool negative = c->is_signed && p < end && *p == '-';
	uint64_t v = 0;

	p += negative;
	if (p == end || end - p > 22)
		return false;
	for (; p < end; p++) {
		unsigned d = (unsigned)(*p - '0');

		if (d >= c->base || __builtin_mul_overflow(v, c->base, &v) ||
		    __builtin_add_overflow(v, d, &v))
			return false;
	}
	if (c->width == 4 && v > (negative ? (uint64_t)1 << 31 : UINT32_MAX))
		return false;
	*out = negative ? 0 - v : v;
	return true;
}

static bool parse_row(const struct layout *layout, struct span line, char *row)
{
	struct span word;
	size_t i = 0;

	for (; i < layout->count && next_word(&line, &word); i++) {
		const struct column_type *c = layout->at[i];
		uint64_t v;

		if (!c)
			continue;
		if (!parse_number(word, c, &v))
			return false;
		if (c->width == 4) {
			uint32_t narrow = (uint32_t)v;

			memcpy(row + c->offset, &narrow, sizeof(narrow));
		} else {
			memcpy(row + c->offset, &v, sizeof(v));
		}
	}
	return i == layout->count;
}

static int add_row(struct sysv_table *t, const struct layout *layout, struct span line)
{
	size_t size = table_types[t->kind].row_size;
	char *row;

	if (vec_reserve(&t->rows, t->count, size) < 0)
		return -ENOMEM;
	row = (char *)t->rows + t->count * size;
	memset(row, 0, size);
	if (parse_row(layout, line, row))
		t->count++;
	else
		t->bad_rows++;
	return 0;
}

static int take_line(struct sysv_table *t, struct layout *layout, struct span line)
{
	return layout->count == 0 ? parse_head(t, layout, line) : add_row(t, layout, line);
}

int sysv_table_parse(struct sysv_table *t, struct span text)
{
	struct layout layout = { 0 };
	struct span line;
	int r = 0;

	while (r == 0 && next_line(&text, &line))
		r = take_line(t, &layout, line);
	return r < 0 ? r : layout.count == 0 ? -EINVAL : 0;
}

int sysv_table_read(struct sysv_table *t, int proc)
{
	_cleanup_(close_fd) int fd = openat(proc, table_types[t->kind].path, O_RDONLY | O_CLOEXEC);
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct layout layout = { 0 };
	struct span line;
	int r;

	if (fd < 0)
		return -errno;
	while ((r = line_reader_next(&reader, &line)) > 0) {
		r = take_line(t, &layout, line);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : layout.count == 0 ? -EINVAL : 0;
}

size_t sysv_row_size(enum sysv_kind kind)
{
	return table_types[kind].row_size;
}

int sysv_table_take(struct sysv_table *t, int proc, bool own)
{
	/* Only the text of shm tells rss and swap. */
	int r = own && t->kind != SYSV_SHM ? sysv_table_stat(t, false) : -EOPNOTSUPP;

	if (r < 0 && r != -ENOMEM)
		r = proc < 0 ? -ENOENT : sysv_table_read(t, proc);
	/* No /proc, or one without the tables (subset=pid). */
	if (own && (r == -ENOENT || r == -EACCES) && sysv_table_stat(t, true) == 0)
		r = 0;
	return r;
}

void sysv_table_free(struct sysv_table *t)
{
	free(t->rows);
	hash_free(&t->by_id);
	hash_free(&t->by_key);
	*t = (struct sysv_table){ .kind = t->kind };
}

bool sysv_has_column(const struct sysv_table *t, const char *name)
{
	const struct table_type *type = &table_types[t->kind];

	for (size_t i = 0; i < type->ncolumns; i++)
		if (strcmp(type->columns[i].name, name) == 0)
			return t->columns >> i & 1;
	return false;
}

const struct sysv_perm *sysv_perm_at(const struct sysv_table *t, size_t i)
{
	/* perm is the first member of every row. */
	return (const struct sysv_perm *)((const char *)t->rows + i * table_types[t->kind].row_size);
}

static int build_index(struct sysv_table *t)
{
	for (size_t i = 0; !t->indexed && i < t->count; i++) {
		const struct sysv_perm *perm = sysv_perm_at(t, i);

		if (hash_add(&t->by_id, perm->id, (uint32_t)i) < 0 ||
		    hash_add(&t->by_key, perm->key, (uint32_t)i) < 0)
			return -ENOMEM;
	}
	t->indexed = true;
	return 0;
}

static int64_t find(struct sysv_table *t, const struct hash *index, uint32_t key)
{
	const struct hash_slot *slot;

	if (build_index(t) < 0)
		return -ENOMEM;
	slot = hash_find(index, key, NULL);
	return slot ? (int64_t)slot->value : -ENOENT;
}

int64_t sysv_table_find(struct sysv_table *t, uint32_t id)
{
	return find(t, &t->by_id, id);
}

int64_t sysv_table_find_key(struct sysv_table *t, uint32_t key)
{
	return find(t, &t->by_key, key);
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return n / unit * unit + (n % unit ? unit : 0);
}

uint64_t sysv_shm_rss(const struct sysv_shm_row *row, uint64_t page_size, const uint64_t *huge_page_sizes,
		      size_t count, uint64_t *huge_page_size)
{
	*huge_page_size = 0;
	if (row->rss <= round_up(row->size, page_size))
		return row->rss;
	for (size_t i = 0; i < count; i++) {
		uint64_t huge = huge_page_sizes[i], most = round_up(row->size, huge);
		uint64_t factor = huge / page_size;

		if (factor <= 1)
			continue;
		*huge_page_size = huge;
		if (row->rss % huge == 0 && row->rss <= most)
			return row->rss; /* a kernel that counts right */
		if (row->rss % factor == 0 && row->rss / factor % huge == 0 && row->rss / factor <= most)
			return row->rss / factor;
	}
	*huge_page_size = 0;
	return row->rss;
}
