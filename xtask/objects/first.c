/* What a purgatory is made of: entry, tables, strings, zeroed and filled data, calls within and across files. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long word;

extern u32 digest(const u8 *bytes, word len);
extern void console(const char *text);
extern const char *const names[5];
extern word counter;
extern void optional(void) __attribute__((weak));

struct region { word start, len; };
struct region regions[16] = { { 1, 2 } };
u8 expected[32] = { 0xe3, 0xb0 };
u8 skip = 1;
unsigned short port = 0x3f8;
u32 small = 7;
word *pointer_to_counter = &counter;
void (*handlers[3])(const char *) = { console, 0, console };
static word history[8];
static u8 stack[256] __attribute__((aligned(64)));
u8 *stack_end = stack + sizeof stack;

static __attribute__((noinline)) word step(word value)
{
    history[value & 7] += value;
    counter++;
    return history[(value + 1) & 7];
}

__attribute__((noinline)) word choose(word value)
{
    switch (value) {
    case 0: return step(3);
    case 1: console("one"); return 9;
    case 2: return digest(expected, 32);
    case 3: console(names[value]); return small;
    case 4: return port;
    case 5: return skip ? step(1) : step(2);
    case 6: return regions[3].len;
    default: return value;
    }
}

void purgatory_start(void)
{
    word sum = 0;
    for (int i = 0; i < 16; i++)
        if (regions[i].len)
            sum += digest((const u8 *)regions[i].start, regions[i].len);
/* Others go through slots for this, in which ld stores no address but that of nothing. */
#if !defined(__PIC__) && (defined(__x86_64__) || defined(__i386__))
    if (optional)
        optional();
#endif
    if (choose(sum) || !skip)
        handlers[sum % 3]("mismatch");
    small += port;
    *pointer_to_counter = sum + *stack_end;
    console("done");
}
