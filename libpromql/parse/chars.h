// The classes of bytes that both halves of the lexer go by.
//
// Pure functions.  -1, the end of the text, is in no class.

#pragma once

namespace narthex::promql {

constexpr bool IsSpace(int c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
constexpr bool IsDigit(int c) { return c >= '0' && c <= '9'; }
constexpr bool IsAlpha(int c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool IsWord(int c) { return IsAlpha(c) || IsDigit(c); }
// 16 if `c` is no hexadecimal digit.
constexpr int HexValue(int c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

}  // namespace narthex::promql
