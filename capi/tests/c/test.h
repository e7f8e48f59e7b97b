/* What the C tests share. A failed check says where and goes on; the program then ends with 1. */
#ifndef TEST_H
#define TEST_H

#include <kcapture.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#define STATIC_ASSERT(condition, text) static_assert(condition, text)
#elif __STDC_VERSION__ >= 201112L
#define STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#else
#define STATIC_ASSERT(condition, text) struct static_assert_is_c11
#endif

static int test_failures;

#define CHECK(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
			test_failures++;                                                  \
		}                                                                         \
	} while (0)

/* Memory for an object. */
static inline unsigned char *object(size_t size, size_t align)
{
	void *memory = NULL;

	if (align < sizeof(void *))
		align = sizeof(void *);
	if (posix_memalign(&memory, align, size) != 0)
		abort();
	return (unsigned char *)memory;
}

static inline int done(const char *name)
{
	printf("%s: %s\n", name, test_failures ? "failed" : "ok");
	return test_failures != 0;
}

#endif
