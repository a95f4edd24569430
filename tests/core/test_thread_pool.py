"""The pool of threads (csrc/core/thread_pool.h) in a program of its own, plain and under ThreadSanitizer."""

import sys

import pytest

from .compiler import CSRC, command, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the flags of setup.py are tried with gcc")

# Counts how often each index is visited: by loops of many sizes, by loops within loops, by four callers at once.
PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/thread_pool.h"

enum { MOST = 1000 };
typedef struct counts { int seen[MOST]; int64_t grain, last; int inner; } counts;

static void visit(int64_t begin, int64_t end, void *context)
{
    counts *c = context;
    if (end - begin < c->grain && end != c->last)
        c->seen[begin] += 1000; /* a short range that is not the last */
    for (int64_t i = begin; i < end; i++)
        c->seen[i]++;
}

static void visit_nested(int64_t begin, int64_t end, void *context)
{
    counts *all = context;
    for (int64_t i = begin; i < end; i++)
        sonic_thread_pool_run(all[i].last, all[i].grain, 4, visit, &all[i]);
}

static int wrong(const counts *c)
{
    for (int64_t i = 0; i < MOST; i++)
        if (c->seen[i] != (i < c->last))
            return 1;
    return 0;
}

static void *many_loops(void *argument)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, 65, 999, MOST}, grains[] = {0, 1, 5, 64, 5000};
    int failures = 0;
    for (int round = 0; round < 20; round++)
        for (int size = 0; size < 9; size++)
            for (int grain = 0; grain < 5; grain++) {
                counts *c = calloc(1, sizeof *c);
                c->last = sizes[size], c->grain = grains[grain];
                sonic_thread_pool_run(c->last, c->grain, round % 6, visit, c);
                failures += wrong(c);
                free(c);
            }
    *(int *)argument = failures;
    return NULL;
}

int main(void)
{
    pthread_t callers[4];
    int failures[5] = {0};
    for (int i = 0; i < 4; i++)
        if (pthread_create(&callers[i], NULL, many_loops, &failures[i]))
            return 2;
    for (int i = 0; i < 4; i++)
        pthread_join(callers[i], NULL);
    counts *all = calloc(50, sizeof *all);
    for (int i = 0; i < 50; i++)
        all[i].last = 20 * i, all[i].grain = 3;
    sonic_thread_pool_run(50, 1, 3, visit_nested, all);
    for (int i = 0; i < 50; i++)
        failures[4] += wrong(&all[i]);
    free(all);
    printf("%d %d %d %d %d\n", failures[0], failures[1], failures[2], failures[3], failures[4]);
    return 0;
}
"""
# In place of csrc/core/os_thread.c's: the system has no further thread, from the first or from the third on.
REFUSING = r"""
#define sonic_thread_start started_by_the_system
#include "core/os_thread.c"
#undef sonic_thread_start
int sonic_thread_start(void (*work)(void));
int sonic_thread_start(void (*work)(void))
{
    static int left = THREADS_LEFT;
    return left-- > 0 && started_by_the_system(work);
}
"""
KINDS = {
    "plain": ([], None),
    "ThreadSanitizer": (["-g", "-O1", "-fsanitize=thread"], None),
    "no further thread": ([], 0),
    "two further threads": ([], 2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_index_is_visited_once(tmp_path, kind):
    flags, threads_left = KINDS[kind]
    refusing = REFUSING.replace("THREADS_LEFT", str(threads_left))
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "threads.c").write_text('#include "core/os_thread.c"\n' if threads_left is None else refusing)
    program, sources = tmp_path / "program", [tmp_path / "threads.c", tmp_path / "program.c"]
    made = run([*command(".c"), *flags, CSRC / "core" / "thread_pool.c", *sources, "-o", program, "-lpthread"])
    if made.returncode and "tsan" in made.stderr:
        pytest.skip("install gcc's libtsan: ThreadSanitizer watches the pool here")
    assert not made.returncode, made.stderr
    done = run([program], timeout=60)
    assert (done.returncode, done.stdout) == (0, "0 0 0 0 0\n"), done.stderr[-3000:]
