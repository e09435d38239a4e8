// The public face of the parsers: one object for both formats.

#include <variant>

#include "libscrape/exposition/openmetrics_parser.h"
#include "libscrape/exposition/text_parser.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

struct ExpositionParser::Impl {
  Impl(std::string_view page, PageFormat format)
      : parser(format == PageFormat::kText
                   ? Parser(std::in_place_type<TextParser>, page)
                   : Parser(std::in_place_type<OpenMetricsParser>, page)),
        text(std::get_if<TextParser>(&parser)),
        open_metrics(std::get_if<OpenMetricsParser>(&parser)),
        lexer(text != nullptr ? static_cast<PageLexer*>(text) : open_metrics) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  using Parser = std::variant<TextParser, OpenMetricsParser>;
  Parser parser;
  TextParser* const text;  // null: the other one
  OpenMetricsParser* const open_metrics;
  PageLexer* const lexer;
};

ExpositionParser::ExpositionParser(std::string_view page, PageFormat format)
    : impl_(std::make_unique<Impl>(page, format)) {}
ExpositionParser::~ExpositionParser() = default;
ExpositionParser::ExpositionParser(ExpositionParser&&) noexcept = default;
ExpositionParser& ExpositionParser::operator=(ExpositionParser&&) noexcept =
    default;

ExpositionParser::Entry ExpositionParser::Next() {
  return impl_->text != nullptr ? impl_->text->Next()
                                : impl_->open_metrics->Next();
}

const absl::Status& ExpositionParser::status() const {
  return impl_->lexer->status();
}
std::string_view ExpositionParser::series() const {
  return impl_->lexer->series();
}
double ExpositionParser::value() const { return impl_->lexer->value(); }
std::optional<Timestamp> ExpositionParser::timestamp() const {
  if (!impl_->lexer->has_timestamp()) return std::nullopt;
  return impl_->lexer->timestamp();
}
void ExpositionParser::GetLabels(LabelsScratch& out) {
  impl_->lexer->GetLabels(out);
}
bool ExpositionParser::GetExemplar(Exemplar& out) {
  return impl_->open_metrics != nullptr &&
         impl_->open_metrics->GetExemplar(out);
}
std::string_view ExpositionParser::metric() const {
  return impl_->lexer->metric();
}
MetricType ExpositionParser::type() const { return impl_->lexer->type(); }
std::string_view ExpositionParser::text() const { return impl_->lexer->text(); }
size_t ExpositionParser::offset() const { return impl_->lexer->offset(); }
size_t ExpositionParser::line() const {
  return impl_->lexer->LineAt(impl_->lexer->offset());
}

}  // namespace narthex::scrape
