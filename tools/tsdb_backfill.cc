// `narthex tsdb create-blocks-from openmetrics FILE [DIR]`: blocks out of a
// page whose samples have times.

#include <sys/stat.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/exposition.h"
#include "narthex/tsdb/block_builder.h"
#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

struct BackfillFlags {
  std::string input = {};
  std::string dir = kDefaultDir;
  std::vector<std::string> labels = {};
  std::string max_block_duration = {};
  bool human_readable = false;
  bool quiet = false;
};

// A whole file: mapped if it is one, read if it is a pipe.
class Input {
 public:
  absl::Status Open(const std::string& path) {
    struct stat info = {};
    if (path != "-" && stat(path.c_str(), &info) != 0) {
      return NotFound(StrCat("stat ", path, ": no such file or directory"));
    }
    if (path != "-" && S_ISREG(info.st_mode)) {
      NARTHEX_ASSIGN_OR_RETURN(mapped_, Env::Posix()->Map(path));
      bytes_ = mapped_->bytes();
    } else {
      NARTHEX_ASSIGN_OR_RETURN(read_, ReadInput(path));
      bytes_ = read_;
    }
    return absl::OkStatus();
  }
  std::string_view bytes() const { return bytes_; }

 private:
  std::unique_ptr<MappedFile> mapped_;
  std::string read_;
  std::string_view bytes_;
};

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> CustomLabels(
    const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument(StrCat("expected KEY=VALUE got '", text, "'"));
    }
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

// Every sample must have its time: told before anything is written.
absl::Status CheckPage(std::string_view page) {
  using Parser = scrape::ExpositionParser;
  Progress progress("checking");
  Parser parser(page, scrape::PageFormat::kOpenMetrics);
  for (Parser::Entry entry; (entry = parser.Next()) != Parser::Entry::kEnd;) {
    if (entry != Parser::Entry::kSeries) continue;
    if (!parser.timestamp()) {
      return InvalidArgument(
          "getting min and max timestamp: expected timestamp for series got "
          "none");
    }
    progress.Set(parser.offset(), page.size());
  }
  return parser.status().ok()
             ? absl::OkStatus()
             : Annotate(parser.status(), "getting min and max timestamp: next");
}

absl::StatusOr<std::vector<tsdb::BlockInfo>> Backfill(
    const BackfillFlags& flags) {
  NARTHEX_ASSIGN_OR_RETURN(const auto custom, CustomLabels(flags.labels));
  tsdb::BlockBuilderOptions options;
  if (!flags.max_block_duration.empty()) {
    NARTHEX_ASSIGN_OR_RETURN(options.max_block_duration,
                             ParseDurationFlag(flags.max_block_duration));
  }
  Input input;
  NARTHEX_RETURN_IF_ERROR(input.Open(flags.input));
  const std::string_view page = input.bytes();
  NARTHEX_RETURN_IF_ERROR(CheckPage(page));

  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<tsdb::BlockBuilder> builder,
                           tsdb::BlockBuilder::New(flags.dir, options));
  using Parser = scrape::ExpositionParser;
  Progress progress("reading");
  Parser parser(page, scrape::PageFormat::kOpenMetrics);
  LabelsScratch scratch;
  Labels labels;
  for (Parser::Entry entry; (entry = parser.Next()) != Parser::Entry::kEnd;) {
    if (entry != Parser::Entry::kSeries) continue;
    parser.GetLabels(scratch);
    scratch.Sort();
    scratch.BuildInto(labels);
    if (!custom.empty()) {
      LabelsBuilder edit(labels);
      for (const auto& [name, value] : custom) edit.Set(name, value);
      labels = edit.Build();
    }
    const absl::Status added =
        builder->Add(labels, *parser.timestamp(), parser.value());
    if (!added.ok()) {
      return Annotate(added, "block creation: process blocks: add sample");
    }
    progress.Set(parser.offset(), page.size());
  }
  NARTHEX_RETURN_IF_ERROR(parser.status());
  return builder->Finish();
}

}  // namespace

void AddTsdbCreateBlocksFrom(CLI::App& parent, int& exit_code) {
  auto flags = std::make_shared<BackfillFlags>();
  CLI::App* from = parent.add_subcommand(
      "create-blocks-from", "Import samples and produce TSDB blocks");
  from->require_subcommand(1)->fallthrough();
  from->add_flag("-r,--human-readable", flags->human_readable,
                 "Print human readable values");
  from->add_flag("-q,--quiet", flags->quiet, "Do not print created blocks");
  from->add_option("--max-block-duration", flags->max_block_duration,
                   "Maximum duration created blocks may span; less than 2h is "
                   "ignored");

  CLI::App* openmetrics = from->add_subcommand(
      "openmetrics", "Import samples of an OpenMetrics page");
  openmetrics->fallthrough();
  openmetrics->add_option("input", flags->input, "File to read; -: stdin")
      ->required();
  openmetrics->add_option("dir", flags->dir, "Directory of the blocks")
      ->capture_default_str();
  openmetrics
      ->add_option("--label", flags->labels,
                   "Label to attach, KEY=VALUE; can be repeated")
      ->allow_extra_args(false);
  openmetrics->callback([flags, &exit_code] {
    const auto blocks = Backfill(*flags);
    if (!blocks.ok()) {
      exit_code = Fail(blocks.status());
      return;
    }
    bool header = true;
    for (const tsdb::BlockInfo& block : *blocks) {
      if (flags->quiet) break;
      PrintBlocks({&block, 1}, std::exchange(header, false),
                  flags->human_readable);
    }
    exit_code = kSuccess;
  });
}

}  // namespace narthex::tools
