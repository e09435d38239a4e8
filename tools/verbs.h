// Every verb of the binary: a line here, a line in main.cc's table, a file of
// its name in CMakeLists.txt.
//
// Each puts its sub-command under `parent`; when the user chooses it, it runs
// while the command line is parsed and stores the exit code.

#pragma once

namespace CLI {
class App;
}

namespace narthex::tools {}  // namespace narthex::tools
