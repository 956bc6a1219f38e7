// The entry of every test binary; doctest's implementation is compiled here once.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
