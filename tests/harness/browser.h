// Headless Chromium with one page, driven through its DevTools protocol over a pipe.
//
// Whatever goes wrong is thrown as std::runtime_error. The browser ends with this object, or with
// the process. It can reach no host.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>
#include <sys/types.h>

namespace parallax::harness::testing {

struct Look {
  int width = 1'280;
  int height = 900;
  bool dark = false;
};

class Browser {
 public:
  Browser();
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  /// Shows a file; returns once it is loaded. `fragment` goes behind the #.
  void open(const std::filesystem::path& page, const Look& look, std::string_view fragment = "");
  /// The value of an expression, or of the promise that it gives.
  boost::json::value evaluate(std::string_view script);
  /// With the pointer, in the middle of the first element that the selector fits.
  void click(std::string_view selector);
  /// A key by its name in KeyboardEvent.key: "Tab", " ", "ArrowRight".
  void press(std::string_view key);
  /// The whole page, as a PNG file, of at most 16,000 pixels.
  void screenshot(const std::filesystem::path& file);

  /// What was asked of the network so far, and the errors that pages made: exceptions, what the
  /// security policy refused.
  const std::vector<std::string>& requests() const { return requests_; }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  void start();
  void stop();
  boost::json::object call(std::string_view method, boost::json::object parameters = {});
  boost::json::object next_message();
  void note(const boost::json::object& event);
  void wait_for(std::string_view event);

  std::filesystem::path profile_;
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  int last_call_ = 0;
  std::string session_;
  std::string buffer_;
  std::vector<std::string> events_;  ///< names of those since the last call of open()
  std::vector<std::string> requests_;
  std::vector<std::string> errors_;
};

}  // namespace parallax::harness::testing
