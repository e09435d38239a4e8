// The public face of the parsers: one object for all formats.

#include <variant>

#include "libscrape/exposition/nhcb_parser.h"
#include "libscrape/exposition/openmetrics_parser.h"
#include "libscrape/exposition/protobuf_parser.h"
#include "libscrape/exposition/text_parser.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {
namespace {

using Parser =
    std::variant<TextParser, OpenMetricsParser, ProtobufParser,
                 NhcbParser<TextParser>, NhcbParser<OpenMetricsParser>>;

Parser MakeParser(std::string_view page, PageFormat format,
                  const ParserOptions& options) {
  const bool converts = options.convert_classic_histograms_to_nhcb;
  switch (format) {
    case PageFormat::kText:
      break;
    case PageFormat::kOpenMetrics:
      if (converts) {
        return Parser(std::in_place_type<NhcbParser<OpenMetricsParser>>, page,
                      options);
      }
      return Parser(std::in_place_type<OpenMetricsParser>, page, options);
    case PageFormat::kProtobuf:
      return Parser(std::in_place_type<ProtobufParser>, page, options);
  }
  if (converts) {
    return Parser(std::in_place_type<NhcbParser<TextParser>>, page, options);
  }
  return Parser(std::in_place_type<TextParser>, page, options);
}

}  // namespace

struct ExpositionParser::Impl {
  Impl(std::string_view page, PageFormat format, const ParserOptions& options)
      : parser(MakeParser(page, format, options)),
        text(std::get_if<TextParser>(&parser)),
        lines(text != nullptr ? static_cast<PageLexer*>(text)
                              : std::get_if<OpenMetricsParser>(&parser)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  template <typename F>
  decltype(auto) Ask(F ask) {
    return std::visit(ask, parser);
  }

  Parser parser;
  // The usual ones, asked without a detour; null: another.
  TextParser* const text;
  PageLexer* const lines;
};

ExpositionParser::ExpositionParser(std::string_view page, PageFormat format,
                                   const ParserOptions& options)
    : impl_(std::make_unique<Impl>(page, format, options)) {}
ExpositionParser::~ExpositionParser() = default;
ExpositionParser::ExpositionParser(ExpositionParser&&) noexcept = default;
ExpositionParser& ExpositionParser::operator=(ExpositionParser&&) noexcept =
    default;

ExpositionParser::Entry ExpositionParser::Next() {
  if (impl_->text != nullptr) return impl_->text->Next();
  return impl_->Ask([](auto& p) { return p.Next(); });
}
const absl::Status& ExpositionParser::status() const {
  return impl_->Ask([](auto& p) -> const absl::Status& { return p.status(); });
}
std::string_view ExpositionParser::series() const {
  if (impl_->lines != nullptr) return impl_->lines->series();
  return impl_->Ask([](auto& p) { return p.series(); });
}
double ExpositionParser::value() const {
  if (impl_->lines != nullptr) return impl_->lines->value();
  return impl_->Ask([](auto& p) { return p.value(); });
}
const Histogram* ExpositionParser::histogram() const {
  return impl_->Ask([](auto& p) { return p.histogram(); });
}
const FloatHistogram* ExpositionParser::float_histogram() const {
  return impl_->Ask([](auto& p) { return p.float_histogram(); });
}
std::optional<Timestamp> ExpositionParser::timestamp() const {
  if (impl_->lines != nullptr && !impl_->lines->has_timestamp()) {
    return std::nullopt;
  }
  return impl_->Ask([](auto& p) -> std::optional<Timestamp> {
    if (!p.has_timestamp()) return std::nullopt;
    return p.timestamp();
  });
}
void ExpositionParser::GetLabels(LabelsScratch& out) {
  if (impl_->lines != nullptr) return impl_->lines->GetLabels(out);
  impl_->Ask([&](auto& p) { p.GetLabels(out); });
}
bool ExpositionParser::GetExemplar(Exemplar& out) {
  return impl_->Ask([&](auto& p) { return p.GetExemplar(out); });
}
Timestamp ExpositionParser::start_time() {
  return impl_->Ask([](auto& p) { return p.start_time(); });
}
std::string_view ExpositionParser::metric() const {
  return impl_->Ask([](auto& p) { return p.metric(); });
}
MetricType ExpositionParser::type() const {
  return impl_->Ask([](auto& p) { return p.type(); });
}
std::string_view ExpositionParser::text() const {
  return impl_->Ask([](auto& p) { return p.text(); });
}
size_t ExpositionParser::offset() const {
  return impl_->Ask([](auto& p) { return p.offset(); });
}
size_t ExpositionParser::line() const {
  return impl_->Ask([](auto& p) { return p.LineAt(p.offset()); });
}

}  // namespace narthex::scrape
