/* SPDX-License-Identifier: MIT */
/* Fields, views, filters, sorting and formatting, over schemas of the test's own. */
#include "unit.h"

#include "model/filter.h"
#include "model/format.h"
#include "model/rowset.h"

enum { NAME, SIZE, COUNT, DELTA, MODE, KEY, TIME, AGE, SHARE, FLAG, UID, NOTE, NFIELDS };

static const struct field fields[NFIELDS] = {
	[NAME] = { .name = "name", .type = FIELD_STR, .flags = FIELD_DEFAULT | FIELD_MIXED, .help = "h" },
	[SIZE] = { .name = "size", .type = FIELD_BYTES, .flags = FIELD_DEFAULT | FIELD_MIXED, .sources = 1, .help = "h" },
	[COUNT] = { .name = "count", .type = FIELD_U64, .flags = FIELD_DEFAULT, .sources = 2, .help = "h" },
	[DELTA] = { .name = "delta", .type = FIELD_I64, .help = "h" },
	[MODE] = { .name = "mode", .type = FIELD_MODE, .help = "h" },
	[KEY] = { .name = "key", .type = FIELD_KEY, .help = "h" },
	[TIME] = { .name = "atime", .type = FIELD_TIME, .help = "h" },
	[AGE] = { .name = "age", .type = FIELD_DURATION, .help = "h" },
	[SHARE] = { .name = "share", .type = FIELD_PERCENT, .help = "h" },
	[FLAG] = { .name = "flag", .type = FIELD_BOOL, .help = "h" },
	[UID] = { .name = "uid", .type = FIELD_UID, .flags = FIELD_ON_DEMAND, .sources = 4, .help = "h" },
	[NOTE] = { .name = "note", .type = FIELD_STR, .flags = FIELD_EXPLICIT, .help = "h" },
};

static const struct field other_fields[] = {
	{ .name = "name", .type = FIELD_STR, .flags = FIELD_DEFAULT | FIELD_MIXED, .help = "h" },
	{ .name = "depth", .type = FIELD_U64, .flags = FIELD_DEFAULT, .help = "h" },
	{ .name = "size", .type = FIELD_BYTES, .help = "h" },
};

static const struct schema one = { "one", fields, NFIELDS };
static const struct schema other = { "other", other_fields, ARRAY_SIZE(other_fields) };
static const struct schema *const only_one[] = { &one };
static const struct schema *const both[] = { &one, &other };

struct fixture {
	struct arena arena;
	struct record record;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct record *r = &f->record;

	if (!f || record_init(r, &one, &f->arena) < 0)
		return -1;
	record_text(r, NAME, "torch_7");
	record_u64(r, SIZE, 5ull << 20);
	record_u64(r, COUNT, 18446744073692774399u);
	record_i64(r, DELTA, -3);
	record_u64(r, MODE, 0640);
	record_u64(r, KEY, 0xc0ffee01);
	record_i64(r, TIME, 1763669449); /* 2025-11-20T20:10:49Z */
	record_u64(r, AGE, 7200);
	record_u64(r, SHARE, 9950);
	record_bool(r, FLAG, true);
	record_unknown(r, UID, EACCES);
	/* NOTE stays absent. */
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_free(&f->arena);
	free(f);
	return 0;
}

static enum match match(const struct record *r, const char *text)
{
	struct filters f = { 0 };
	struct field_error error = { 0 };
	enum match m;

	if (filters_add(&f, text, only_one, 1, &error) != 0)
		fail_msg("%s was refused", text);
	m = filters_match(&f, r);
	filters_free(&f);
	return m;
}

static void filters_compare(void **state)
{
	static const struct {
		const char *text;
		enum match result;
	} e[] = {
		{ "name=torch_7", MATCH_YES },	 { "name=torch", MATCH_NO },
		{ "name=a,torch_7,b", MATCH_YES }, { "name!=a,b", MATCH_YES },
		{ "name!=a,torch_7", MATCH_NO }, { "name~^torch_[0-9]$", MATCH_YES },
		{ "name~^orch", MATCH_NO },	 { "name!~^orch", MATCH_YES },
		{ "size>=5M", MATCH_YES },	 { "size>5M", MATCH_NO },
		{ "size<=5M", MATCH_YES },	 { "size<5M", MATCH_NO },
		{ "size=5242880", MATCH_YES },	 { "size!=5242880", MATCH_NO },
		{ "count=18446744073692774399", MATCH_YES },
		{ "count<18446744073692774399", MATCH_NO },
		{ "count>18446744073692774398", MATCH_YES },
		{ "count=18446744073692774400", MATCH_NO },
		{ "delta<0", MATCH_YES },	 { "delta=-3", MATCH_YES },
		{ "delta>-4", MATCH_YES },	 { "mode=0640", MATCH_YES },
		{ "mode=640", MATCH_YES },	 { "mode=0600", MATCH_NO },
		{ "key=0xc0ffee01", MATCH_YES }, { "atime=1763669449", MATCH_YES },
		{ "atime>=2025-11-20", MATCH_YES }, { "atime<2025-11-20T20:10:50", MATCH_YES },
		{ "atime<2025-11-20T20:10", MATCH_NO }, { "age>1h", MATCH_YES },
		{ "age=2h", MATCH_YES },	 { "age>3h", MATCH_NO },
		{ "share>=99.5", MATCH_YES },	 { "share>99.5", MATCH_NO },
		{ "share<100", MATCH_YES },	 { "flag=yes", MATCH_YES },
		{ "flag=no", MATCH_NO },
		/* Unknown is neither yes nor no; absent matches nothing but "-". */
		{ "uid=0", MATCH_UNKNOWN },	 { "uid!=0", MATCH_UNKNOWN },
		{ "uid=?", MATCH_YES },		 { "uid!=?", MATCH_NO },
		{ "note=x", MATCH_NO },		 { "note=-", MATCH_YES },
		{ "note!=-", MATCH_NO },	 { "name!=-", MATCH_YES },
		{ "note~.", MATCH_NO },		 { "uid~0", MATCH_UNKNOWN },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		if (match(&f->record, e[i].text) != e[i].result)
			fail_msg("%s: got %d", e[i].text, match(&f->record, e[i].text));
}

static void filters_take_escaped_strings(void **state)
{
	struct fixture *f = *state;

	record_str(&f->record, NAME, SPAN("a\nb\xff"));
	assert_int_equal(match(&f->record, "name=a\\nb\\xff"), MATCH_YES);
	assert_int_equal(match(&f->record, "name=a\nb\xff"), MATCH_YES);
	assert_int_equal(match(&f->record, "name=a\\nb"), MATCH_NO);
	record_str(&f->record, NAME, SPAN(""));
	assert_int_equal(match(&f->record, "name="), MATCH_YES);
	assert_int_equal(match(&f->record, "name=\\0"), MATCH_YES);
	record_str(&f->record, NAME, SPAN("\\0"));
	assert_int_equal(match(&f->record, "name=\\0"), MATCH_NO);
	assert_int_equal(match(&f->record, "name=\\\\0"), MATCH_YES);
}

static void all_filters_must_hold(void **state)
{
	struct fixture *f = *state;
	struct filters filters = { 0 };
	struct field_error error;

	assert_int_equal(filters_match(&filters, &f->record), MATCH_YES);
	assert_int_equal(filters_add(&filters, "size>1M", only_one, 1, &error), 0);
	assert_int_equal(filters_match(&filters, &f->record), MATCH_YES);
	assert_int_equal(filters_add(&filters, "uid=0", only_one, 1, &error), 0);
	assert_int_equal(filters_match(&filters, &f->record), MATCH_UNKNOWN);
	assert_int_equal(filters_add(&filters, "name=no", only_one, 1, &error), 0);
	assert_int_equal(filters_match(&filters, &f->record), MATCH_NO);
	assert_true(wants(filters_fields(&filters, &one), SIZE));
	assert_true(wants(filters_fields(&filters, &one), UID));
	assert_false(wants(filters_fields(&filters, &one), COUNT));
	filters_free(&filters);
}

static void bad_filters_name_the_word(void **state)
{
	static const struct {
		const char *text, *word, *suggestion;
	} e[] = {
		{ "sise>1", "sise", "size" },
		{ "size>1Q", "1Q", NULL },
		{ "size>", "", NULL },
		{ "size", "size", NULL },
		{ "", "", NULL },
		{ "=1", "=1", NULL },
		{ "size=1,x", "x", NULL },
		{ "mode=999", "999", NULL },
		{ "age>1y", "1y", NULL },
		{ "flag=perhaps", "perhaps", NULL },
		{ "atime>yesterday", "yesterday", NULL },
		{ "atime>2025-13-01", "2025-13-01", NULL },
		{ "name~[", "[", NULL },
		{ "delta=--1", "--1", NULL },
		{ "count=99999999999999999999", "99999999999999999999", NULL },
		{ "share=1.234", "1.234", NULL },
		{ "key=0x", "0x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct filters f = { 0 };
		struct field_error error = { 0 };

		if (filters_add(&f, e[i].text, only_one, 1, &error) != -EINVAL)
			fail_msg("%s was taken", e[i].text);
		assert_span(error.word, span_of(e[i].word));
		if (e[i].suggestion)
			assert_string_equal(error.suggestion, e[i].suggestion);
		else
			assert_non_null(error.expected);
		filters_free(&f);
	}
}

static void columns_are(const struct schema *const *schemas, size_t n, const char *spec, enum view_default start,
			const char *expected)
{
	struct field_error error;
	struct buf b = { 0 };
	struct view v;

	assert_int_equal(view_init(&v, schemas, n, spec, start, &error), 0);
	for (size_t i = 0; i < v.ncolumns; i++)
		buf_printf(&b, "%s%s", i ? "," : "", v.columns[i].name);
	assert_buf(&b, expected);
	buf_free(&b);
	view_free(&v);
}

static void views(void **state)
{
	(void)state;
	columns_are(only_one, 1, NULL, VIEW_TABLE, "name,size,count");
	columns_are(only_one, 1, NULL, VIEW_LISTING, "name,size,count,delta,mode,key,atime,age,share,flag");
	columns_are(only_one, 1, NULL, VIEW_EVERYTHING, "name,size,count,delta,mode,key,atime,age,share,flag,uid");
	columns_are(only_one, 1, "all", VIEW_TABLE, "name,size,count,delta,mode,key,atime,age,share,flag,uid");
	columns_are(only_one, 1, "mode,name", VIEW_TABLE, "mode,name");
	columns_are(only_one, 1, "+mode", VIEW_TABLE, "name,size,count,mode");
	columns_are(only_one, 1, "+size", VIEW_TABLE, "name,size,count");
	columns_are(only_one, 1, "note", VIEW_TABLE, "note");
	columns_are(both, 2, NULL, VIEW_TABLE, "name,size");
	columns_are(both, 2, "depth,size", VIEW_TABLE, "depth,size");
}

static void view_refuses(void **state)
{
	static const char *const bad[] = { "nmae", "", "name,", ",name", "name,,size", "+", "+nmae", "name size" };
	struct field_error error;
	struct view v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (view_init(&v, only_one, 1, bad[i], VIEW_TABLE, &error) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(view_init(&v, only_one, 1, "size,nmae", VIEW_TABLE, &error), -EINVAL);
	assert_span(error.word, SPAN("nmae"));
	assert_string_equal(error.suggestion, "name");
}

static void view_maps_columns_to_each_schema(void **state)
{
	struct fixture *f = *state;
	struct field_error error;
	struct record r;
	struct view v;

	assert_int_equal(view_init(&v, both, 2, "size,depth", VIEW_TABLE, &error), 0);
	assert_int_equal(record_init(&r, &other, &f->arena), 0);
	record_u64(&r, 1, 4);
	record_u64(&r, 2, 9);
	assert_int_equal(view_schema(&v, &one), 0);
	assert_int_equal(view_schema(&v, &other), 1);
	assert_true(view_value(&v, 0, 0, &f->record)->u64 == 5ull << 20);
	assert_null(view_value(&v, 0, 1, &f->record));
	assert_true(view_value(&v, 1, 0, &r)->u64 == 9);
	assert_true(view_value(&v, 1, 1, &r)->u64 == 4);
	assert_int_equal(v.shown[0].set.bits, 1u << SIZE);
	assert_int_equal(v.shown[1].set.bits, 1u << 1 | 1u << 2);
	assert_int_equal(schema_sources(&one, v.shown[0].set), 1);
	/* In the order of -o: size before depth. */
	assert_int_equal(v.shown[1].count, 2);
	assert_int_equal(v.shown[1].fields[0], 2);
	assert_int_equal(v.shown[1].fields[1], 1);
	view_free(&v);
}

/* Has uid, on demand in `one`, as a usual column; and note, explicit there, as a usual field. */
static const struct field third_fields[] = {
	{ .name = "uid", .type = FIELD_UID, .flags = FIELD_DEFAULT | FIELD_MIXED, .help = "h" },
	{ .name = "note", .type = FIELD_STR, .help = "h" },
	{ .name = "rank", .type = FIELD_U64, .flags = FIELD_MIXED | FIELD_ON_DEMAND, .help = "h" },
};
static const struct schema third = { "third", third_fields, ARRAY_SIZE(third_fields) };

static void mixed_is(const char *spec, enum view_default start, uint64_t of_one, uint64_t of_third)
{
	static const struct schema *const mixed[] = { &one, &third };
	struct field_error error;
	struct view v;

	assert_int_equal(view_init(&v, mixed, 2, spec, start, &error), 0);
	assert_true(v.shown[0].set.bits == of_one);
	assert_true(v.shown[1].set.bits == of_third);
	for (size_t s = 0; s < 2; s++) {
		uint64_t behind = 0;

		for (size_t c = 0; c < v.ncolumns; c++)
			if (v.index[s * v.ncolumns + c] >= 0)
				behind |= (uint64_t)1 << v.index[s * v.ncolumns + c];
		assert_true(behind == v.shown[s].set.bits);
	}
	view_free(&v);
}

/* A column that another schema brought in is not read where it is on demand. */
static void mixed_columns_spare_what_is_on_demand(void **state)
{
	const uint64_t table = 1u << NAME | 1u << SIZE, all = (1u << NFIELDS) - 1;
	const uint64_t usual = all & ~(1u << UID | 1u << NOTE);

	(void)state;
	/* rank, on demand too, is read: its own schema makes it a column. */
	mixed_is(NULL, VIEW_TABLE, table, 1 | 4);
	mixed_is(NULL, VIEW_LISTING, usual, 1 | 2);
	mixed_is(NULL, VIEW_EVERYTHING, all & ~(1u << NOTE), 7);
	mixed_is(NULL, VIEW_CONTENTS, all, 7);
	mixed_is("all", VIEW_TABLE, all & ~(1u << NOTE), 7);
	mixed_is("uid", VIEW_TABLE, 1u << UID, 1);
	mixed_is("+uid", VIEW_TABLE, table | 1u << UID, 1 | 4);
	mixed_is("+note", VIEW_LISTING, usual | 1u << NOTE, 1 | 2);
}

/* What a filter reads anyway is shown where there is a column for it, and only there. */
static void mixed_columns_show_what_is_read(void **state)
{
	static const struct schema *const mixed[] = { &one, &third };
	struct field_error error;
	struct view v;

	(void)state;
	assert_int_equal(view_init(&v, mixed, 2, NULL, VIEW_TABLE, &error), 0);
	view_read(&v, 0, (struct fieldset){ 1u << UID | 1u << NOTE | 1u << NAME });
	assert_true(v.shown[0].set.bits == (1u << NAME | 1u << SIZE | 1u << UID));
	assert_int_equal(v.shown[0].count, 3);
	assert_int_equal(v.shown[0].fields[2], UID);
	assert_true(v.shown[1].set.bits == (1 | 4));
	view_free(&v);
}

static void formatted(const struct record *r, int field, enum format_style style, const char *expected)
{
	struct buf b = { 0 };

	format_value(&b, &fields[field], &r->values[field], style);
	assert_buf(&b, expected);
	buf_free(&b);
}

static void formats(void **state)
{
	struct fixture *f = *state;
	struct record *r = &f->record;

	formatted(r, SIZE, FORMAT_MACHINE, "5242880");
	formatted(r, SIZE, FORMAT_HUMAN, "5M");
	formatted(r, SIZE, FORMAT_HUMAN_BYTES, "5242880");
	formatted(r, COUNT, FORMAT_MACHINE, "18446744073692774399");
	formatted(r, COUNT, FORMAT_HUMAN, "18446744073692774399");
	formatted(r, DELTA, FORMAT_MACHINE, "-3");
	formatted(r, MODE, FORMAT_MACHINE, "0640");
	formatted(r, KEY, FORMAT_MACHINE, "0xc0ffee01");
	formatted(r, TIME, FORMAT_MACHINE, "1763669449");
	formatted(r, TIME, FORMAT_HUMAN, "2025-11-20 20:10:49");
	formatted(r, AGE, FORMAT_MACHINE, "7200");
	formatted(r, AGE, FORMAT_HUMAN, "2h");
	formatted(r, SHARE, FORMAT_MACHINE, "99.50");
	formatted(r, FLAG, FORMAT_MACHINE, "yes");
	formatted(r, UID, FORMAT_MACHINE, "?");
	formatted(r, NOTE, FORMAT_MACHINE, "-");
	record_u64(r, MODE, 01777);
	formatted(r, MODE, FORMAT_MACHINE, "01777");
	record_u64(r, KEY, 0);
	formatted(r, KEY, FORMAT_MACHINE, "0x00000000");
	record_i64(r, TIME, INT64_MAX);
	formatted(r, TIME, FORMAT_HUMAN, "9223372036854775807");
}

/* What stands in a cell tells absent, unknown, empty and "-" itself apart. */
static void cells_are_unambiguous(void **state)
{
	static const char *const strings[] = { "", "-", "?", "\\0", "\\x2d", "a\tb", "a", "\\" };
	struct buf cells[ARRAY_SIZE(strings)] = { { 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		format_str(&cells[i], span_of(strings[i]));
		assert_false(span_is(buf_span(&cells[i]), "-"));
		assert_false(span_is(buf_span(&cells[i]), "?"));
		assert_true(cells[i].len > 0);
		for (size_t j = 0; j < i; j++)
			assert_false(span_eq(buf_span(&cells[i]), buf_span(&cells[j])));
	}
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		buf_free(&cells[i]);
}

static void human_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} e[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 1023, "1023" },
		{ 1024, "1K" },
		{ 1536, "1.5K" },
		{ 10239, "10K" },
		{ 1048575, "1M" },
		{ 1048576, "1M" },
		{ 1ull << 40, "1T" },
		{ 18446744073692774399u, "16E" },
		{ UINT64_MAX, "16E" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct buf b = { 0 };

		format_size(&b, e[i].bytes);
		assert_buf(&b, e[i].text);
		buf_free(&b);
	}
	/* Never more than four digits and a unit, whatever the number. */
	for (uint64_t v = 1; v; v = v > UINT64_MAX / 9 * 8 ? 0 : v + v / 8 + 1) {
		struct buf b = { 0 };

		format_size(&b, v);
		assert_in_range(b.len, 1, 5);
		buf_free(&b);
	}
}

static void times(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} e[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1763669449, "2025-11-20T20:10:49Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
		{ -1, "1969-12-31T23:59:59Z" },
		{ -62167219200, "0000-01-01T00:00:00Z" },
		{ -30641760000, "0999-01-01T00:00:00Z" },
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		assert_true(format_rfc3339(&b, e[i].t));
		assert_buf(&b, e[i].text);
		buf_reset(&b);
	}
	assert_false(format_rfc3339(&b, 253402300800));
	assert_false(format_rfc3339(&b, INT64_MAX));
	assert_false(format_rfc3339(&b, INT64_MIN));
	assert_false(format_rfc3339(&b, -62167219201));
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void durations(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} e[] = { { 0, "0s" }, { 59, "59s" }, { 60, "1m" }, { 7199, "1h" }, { 86400, "1d" }, { 86400 * 9, "9d" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct buf b = { 0 };

		format_duration(&b, e[i].seconds);
		assert_buf(&b, e[i].text);
		buf_free(&b);
	}
}

static void sorted(struct fixture *f, const char *spec, const char *expected)
{
	static const struct {
		const char *name;
		int64_t size; /* -1: absent, -2: unknown */
	} rows[] = { { "d", 5 }, { "a", -1 }, { "c", 5 }, { "b", -2 }, { "e", 1 }, { "f", 1ll << 40 } };
	struct field_error error;
	struct rowset set = { 0 };
	struct buf b = { 0 };
	struct sort sort;
	struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		record_clear(&f->record);
		record_text(&f->record, NAME, rows[i].name);
		if (rows[i].size >= 0)
			record_u64(&f->record, SIZE, (uint64_t)rows[i].size);
		else if (rows[i].size == -2)
			record_unknown(&f->record, SIZE, EACCES);
		assert_int_equal(rowset_add(&set, &f->record, (struct fieldset){ 1u << NAME | 1u << SIZE }), 0);
	}
	assert_int_equal(sort_parse(&sort, spec, only_one, 1, &error), 0);
	rowset_sort(&set, &sort);
	for (size_t i = 0; i < set.count; i++) {
		struct record r;

		assert_int_equal(rowset_get(&set, i, &arena, &r), 0);
		buf_put_span(&b, r.values[NAME].str);
	}
	assert_buf(&b, expected);
	buf_free(&b);
	sort_free(&sort);
	rowset_free(&set);
	arena_free(&arena);
}

static void sorting(void **state)
{
	struct fixture *f = *state;
	struct field_error error;
	struct sort sort;

	sorted(f, "name", "abcdef");
	sorted(f, "-name", "fedcba");
	/* Equal rows keep their order; what is not known stays last either way. */
	sorted(f, "size,name", "ecdfab");
	sorted(f, "-size,name", "fcdeab");
	sorted(f, "-size,-name", "fdceba");
	assert_int_equal(sort_parse(&sort, "name,-szie", only_one, 1, &error), -EINVAL);
	assert_span(error.word, SPAN("szie"));
	assert_string_equal(error.suggestion, "size");
	assert_int_equal(sort_parse(&sort, "", only_one, 1, &error), -EINVAL);
	assert_int_equal(sort_parse(&sort, "name,", only_one, 1, &error), -EINVAL);
}

/* Rows own what they show: the record they were made from may go. */
static void rows_are_copies(void **state)
{
	struct fixture *f = *state;
	struct rowset set = { 0 };
	struct arena arena = { 0 };
	char text[] = "hello";
	struct record r;

	record_text(&f->record, NAME, text);
	assert_int_equal(rowset_add(&set, &f->record, (struct fieldset){ 1u << NAME }), 0);
	memset(text, 'X', sizeof(text) - 1);
	assert_int_equal(rowset_get(&set, 0, &arena, &r), 0);
	assert_span(r.values[NAME].str, SPAN("hello"));
	assert_int_equal(r.values[SIZE].state, VALUE_ABSENT);
	rowset_free(&set);
	arena_free(&arena);
}

/* What could not be copied must not look like a value that is not known. */
static void rows_without_memory(void **state)
{
	struct fixture *f = *state;
	struct rowset set = { 0 };

	record_str(&f->record, NAME, (struct span){ "", PTRDIFF_MAX });
	assert_int_equal(rowset_add(&set, &f->record, (struct fieldset){ 1u << NAME }), -ENOMEM);
	rowset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(filters_compare, set_up, tear_down),
		cmocka_unit_test_setup_teardown(filters_take_escaped_strings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_filters_must_hold, set_up, tear_down),
		cmocka_unit_test(bad_filters_name_the_word),
		cmocka_unit_test(views),
		cmocka_unit_test(view_refuses),
		cmocka_unit_test_setup_teardown(view_maps_columns_to_each_schema, set_up, tear_down),
		cmocka_unit_test(mixed_columns_spare_what_is_on_demand),
		cmocka_unit_test(mixed_columns_show_what_is_read),
		cmocka_unit_test_setup_teardown(formats, set_up, tear_down),
		cmocka_unit_test(cells_are_unambiguous),
		cmocka_unit_test(human_sizes),
		cmocka_unit_test(times),
		cmocka_unit_test(durations),
		cmocka_unit_test_setup_teardown(sorting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_are_copies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_without_memory, set_up, tear_down),
	};

	/* Times without a zone are local: the test's zone is UTC. */
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
