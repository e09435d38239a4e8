// Stores one sample and asks a question about it.  The README's first block is
// this file from the next line on.
#include <iostream>

#include "narthex/narthex.h"

int main() {
  auto nx = narthex::Narthex::Open({.data_dir = "metrics"});
  if (!nx.ok()) return 1;
  auto stored = (*nx)->Ingest("requests_total 42\n", "text/plain", /*at=*/1000);
  auto answer = (*nx)->Query("requests_total * 2", /*at=*/1000);
  if (stored.ok() && answer.ok()) std::cout << *answer << "\n";
}
