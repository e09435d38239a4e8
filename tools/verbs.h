// Every verb of the binary: a line here, a line in main.cc's table, a file of
// its name in CMakeLists.txt.
//
// Each puts its sub-command under `parent`; when the user chooses it, it runs
// while the command line is parsed and stores the exit code.

#pragma once

namespace CLI {
class App;
}

namespace narthex::tools {

void AddServe(CLI::App& parent, int& exit_code);
void AddQuery(CLI::App& parent, int& exit_code);
void AddScrape(CLI::App& parent, int& exit_code);
void AddPushMetrics(CLI::App& parent, int& exit_code);
void AddConvertOperator(CLI::App& parent, int& exit_code);

void AddTsdbList(CLI::App& parent, int& exit_code);
void AddTsdbAnalyze(CLI::App& parent, int& exit_code);
void AddTsdbDump(CLI::App& parent, int& exit_code);
void AddTsdbDumpOpenMetrics(CLI::App& parent, int& exit_code);
void AddTsdbCreateBlocksFrom(CLI::App& parent, int& exit_code);
void AddTsdbBench(CLI::App& parent, int& exit_code);
void AddTsdbVerify(CLI::App& parent, int& exit_code);

void AddCheckMetrics(CLI::App& parent, int& exit_code);
void AddCheckServiceDiscovery(CLI::App& parent, int& exit_code);
void AddTestPromql(CLI::App& parent, int& exit_code);
void AddPromqlFormat(CLI::App& parent, int& exit_code);
void AddPromqlParse(CLI::App& parent, int& exit_code);

}  // namespace narthex::tools
