/* SPDX-License-Identifier: MIT */
/* What is not in the picture, or not as such. */
#include "cmd/graphlabel.h"

static void remark(struct buf *b, uint64_t n, const char *one, const char *many)
{
	if (n == 0)
		return;
	if (b->len > 0)
		buf_putc(b, '\n');
	buf_u64(b, n);
	buf_puts(b, n == 1 ? one : many);
}

void graph_remarks(const struct graph *g, struct buf *b)
{
	struct graph_left left = { 0 };
	uint64_t alike = 0, grouped = 0;

	for (size_t i = 0; i < g->l->nkinds; i++) {
		left.alone += g->left[i].alone;
		left.unheld += g->left[i].unheld;
		left.unwritten += g->left[i].unwritten;
		left.polled += g->left[i].polled;
	}
	for (size_t i = 0; i < g->nitems; i++)
		alike += g->items[i].like != i;
	for (size_t i = 0; i < g->nprocesses; i++)
		grouped += g->processes[i].like != 0;
	remark(b, left.alone, " object of one process is left out (--all)",
	       " objects of one process each are left out (--all)");
	remark(b, left.unheld, " object that no process in sight has is left out (--all)",
	       " objects that no process in sight has are left out (--all)");
	remark(b, left.unwritten, " object that nobody in sight can write to is left out (--all)",
	       " objects that nobody in sight can write to are left out (--all)");
	remark(b, left.polled, " wait for one of several things is left out (--all)",
	       " waits for one of several things are left out (--all)");
	remark(b, grouped, " process is drawn together with one that is connected in the same way",
	       " processes are drawn together with others that are connected in the same way");
	remark(b, alike, " object is drawn together with one that looks the same",
	       " objects are drawn together with others that look the same");
	remark(b, g->joined, " line is drawn together with one that looks the same",
	       " lines are drawn together with others that look the same");
}

void graph_put_remarks(const struct graph *g, bool complete, const char *mark, struct buf *out)
{
	struct buf text = { 0 };

	graph_remarks(g, &text);
	if (!complete)
		buf_printf(&text, "%sincomplete: something could not be read", text.len ? "\n" : "");
	buf_printf(out, "%s%zu nodes, %zu edges\n", mark, g->nodes, g->nedges);
	for (size_t i = 0; i < text.len; i++) {
		if (i == 0 || text.data[i - 1] == '\n')
			buf_puts(out, mark);
		buf_putc(out, text.data[i]);
	}
	if (text.len > 0)
		buf_putc(out, '\n');
	out->failed |= text.failed;
	buf_free(&text);
}
