/* The other file: what the first one calls and names. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long word;

const char *const names[5] = { "zero", "one", "two", "three", "four" };
static const u32 table[16] = { 1, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53 };
word counter;
static u8 screen[128];
static word cursor = 5;
#ifdef __SIZEOF_INT128__
typedef __int128 wide_word;
#else
typedef word wide_word;
#endif
static wide_word wide[2] = { 3, 4 };

u32 digest(const u8 *bytes, word len)
{
    u32 sum = (u32)wide[1];
    wide[0] += 1;
    for (word i = 0; i < len; i++)
        sum = (sum << 5) ^ table[(bytes[i] ^ sum) & 15];
    return sum;
}

void console(const char *text)
{
    while (*text)
        screen[cursor++ & 127] = *text++;
    counter += cursor;
}

#ifdef __s390x__
/* Numbers for fields that no address fits in. */
__asm__(".globl small_number, large_number, tiny_number\n\t.set tiny_number, 0x23\n\t.set small_number, 0x123\n\t.set large_number, -0x12345");
#endif
