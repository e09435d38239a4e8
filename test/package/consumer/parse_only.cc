// PromQL without a database: parses its argument and prints it again.
#include <iostream>

#include "narthex/promql/parser.h"
#include "narthex/promql/printer.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto expr = narthex::promql::ParseExpr(argv[1]);
  if (!expr.ok()) {
    std::cerr << expr.status() << "\n";
    return 1;
  }
  std::cout << narthex::promql::Print(**expr) << "\n";
}
