#include "consistency/checker/texts.h"

#include <functional>

#include "base/assert.h"

namespace parallax::checker {

Texts::Texts() : texts_(kFirstText.value), slots_(16, 0) {}

std::size_t Texts::slot_of(std::string_view text) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>{}(text)&mask;
  while (slots_[slot] != 0 && texts_[slots_[slot]] != text) slot = (slot + 1) & mask;
  return slot;
}

void Texts::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (std::uint32_t id = kFirstText.value; id < texts_.size(); ++id) {
    slots_[slot_of(texts_[id])] = id;
  }
}

Text Texts::intern(std::string_view text) {
  std::size_t slot = slot_of(text);
  if (slots_[slot] != 0) return Text{slots_[slot]};
  if ((texts_.size() + 1) * 2 > slots_.size()) {
    grow();
    slot = slot_of(text);
  }
  const auto id = static_cast<std::uint32_t>(texts_.size());
  texts_.emplace_back(text);
  slots_[slot] = id;
  content_bytes_ += text.size();
  return Text{id};
}

std::optional<Text> Texts::find(std::string_view text) const {
  const std::uint32_t id = slots_[slot_of(text)];
  if (id == 0) return std::nullopt;
  return Text{id};
}

std::string_view Texts::operator[](Text text) const {
  PARALLAX_ASSERT(text.value < texts_.size(), "text {} of {}", text.value, texts_.size());
  return texts_[text.value];
}

std::size_t Texts::memory_bytes() const {
  return texts_.capacity() * sizeof(std::string) + slots_.size() * sizeof(slots_[0]) +
         content_bytes_;
}

}  // namespace parallax::checker
