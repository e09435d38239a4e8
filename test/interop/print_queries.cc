// Prints random queries, one a line: print_queries SEED COUNT FIRST LAST
// [native] FIRST and LAST are the seconds between which there is data;
// `native`: native histograms too.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "test/support/query_generator.h"

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  narthex::test::QueryGeneratorOptions options;
  options.first_second = std::atoll(argv[3]);
  options.last_second = std::atoll(argv[4]);
  options.native_histograms = argc > 5 && std::string_view(argv[5]) == "native";
  narthex::test::QueryGenerator generator(std::strtoull(argv[1], nullptr, 10),
                                          options);
  for (long n = std::atol(argv[2]); n > 0; --n) {
    std::puts(generator.Next().c_str());
  }
  return 0;
}
