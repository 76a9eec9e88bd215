#include "tests/harness/browser.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"

namespace parallax::harness::testing {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(120);  // machines that run tests may be busy
constexpr int kMostPixels = 16'000;                    // Chromium cuts pictures above 16,384

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("browser: " + what);
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

}  // namespace

Browser::Browser() {
  std::signal(SIGPIPE, SIG_IGN);  // that it ended is then an error of write()
  std::string name = (fs::temp_directory_path() / "parallax-browser-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail("no directory for its profile");
  profile_ = name;
  try {
    start();
    const json::object target = call("Target.createTarget", {{"url", "about:blank"}});
    const json::object attached =
        call("Target.attachToTarget", {{"targetId", target.at("targetId")}, {"flatten", true}});
    session_ = text_of(attached, "sessionId");
    for (const char* domain : {"Page", "Runtime", "Network", "Log"}) {
      call(fmt::format("{}.enable", domain));
    }
  } catch (...) {
    stop();
    throw;
  }
}

Browser::~Browser() {
  stop();
}

void Browser::stop() {
  for (int* end : {&to_, &from_}) {
    if (*end >= 0) ::close(*end);
    *end = -1;
  }
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);  // its group: renderers are processes of their own
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::error_code error;
  // Its children may still write for a moment after the kill.
  for (int i = 0; i < 50 && fs::exists(profile_, error); ++i) {
    fs::remove_all(profile_, error);
    if (error) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Browser::start() {
  int commands[2];
  int answers[2];
  if (::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0) fail("no pipes");
  to_ = commands[1];
  from_ = answers[0];
  std::vector<std::string> arguments{"chromium",
                                     "--headless",
                                     "--remote-debugging-pipe",
                                     "--user-data-dir=" + profile_.string(),
                                     "--no-first-run",
                                     "--disable-gpu",
                                     "--disable-dev-shm-usage",
                                     "--disable-extensions",
                                     "--disable-component-update",
                                     "--disable-background-networking",
                                     "--disable-breakpad",
                                     "--disable-crash-reporter",
                                     "--hide-scrollbars",
                                     "--host-resolver-rules=MAP * ~NOTFOUND"};
  if (::geteuid() == 0) arguments.emplace_back("--no-sandbox");  // else it refuses to run as root
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string home = "HOME=" + profile_.string();
  pid_ = ::fork();
  if (pid_ < 0) fail("cannot fork");
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::putenv(const_cast<char*>(home.c_str()));
    // It reads commands from 3 and writes answers to 4; the pipes' own numbers may be among these.
    const int commands_end = ::fcntl(commands[0], F_DUPFD, 10);
    const int answers_end = ::fcntl(answers[1], F_DUPFD, 10);
    ::dup2(commands_end, 3);
    ::dup2(answers_end, 4);
    ::close(commands_end);
    ::close(answers_end);
    const int quiet = ::open((profile_ / "stderr").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(quiet, 1);
    ::dup2(quiet, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);
  ::close(commands[0]);
  ::close(answers[1]);
}

json::object Browser::next_message() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    if (const std::size_t end = buffer_.find('\0'); end != std::string::npos) {
      json::object message = json::parse(std::string_view(buffer_).substr(0, end)).as_object();
      buffer_.erase(0, end + 1);
      return message;
    }
    pollfd ready{.fd = from_, .events = POLLIN, .revents = 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) fail("no answer in time");
    if (::poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
    char part[65'536];
    const ssize_t n = ::read(from_, part, sizeof part);
    if (n <= 0) {
      std::ifstream words(profile_ / "stderr");
      fail("chromium ended, or is not installed (scripts/setup installs it): " +
           std::string(std::istreambuf_iterator<char>(words), {}));
    }
    buffer_.append(part, static_cast<std::size_t>(n));
  }
}

void Browser::note(const json::object& event) {
  const std::string method = text_of(event, "method");
  const json::value* parameters = event.if_contains("params");
  if (method.empty() || parameters == nullptr) return;
  events_.push_back(method);
  if (method == "Network.requestWillBeSent") {
    const std::string url = text_of(parameters->at("request").as_object(), "url");
    if (!url.starts_with("file:") && !url.starts_with("data:")) requests_.push_back(url);
  } else if (method == "Runtime.exceptionThrown" || method == "Log.entryAdded") {
    errors_.push_back(json::serialize(*parameters));
  }
}

json::object Browser::call(std::string_view method, json::object parameters) {
  json::object message{{"id", ++last_call_}, {"method", method}, {"params", std::move(parameters)}};
  if (!session_.empty()) message["sessionId"] = session_;
  const std::string text = json::serialize(message) + '\0';
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(to_, text.data() + at, text.size() - at);
    if (n <= 0) fail("chromium does not listen: is it installed (scripts/setup installs it)?");
    at += static_cast<std::size_t>(n);
  }
  for (;;) {
    json::object answer = next_message();
    const json::value* id = answer.if_contains("id");
    if (id == nullptr) {
      note(answer);
    } else if (id->to_number<int>() == last_call_) {
      if (const json::value* error = answer.if_contains("error")) {
        fail(fmt::format("{}: {}", method, json::serialize(*error)));
      }
      return answer.at("result").as_object();
    }
  }
}

void Browser::wait_for(std::string_view event) {
  while (std::find(events_.begin(), events_.end(), event) == events_.end()) note(next_message());
}

void Browser::open(const fs::path& page, const Look& look, std::string_view fragment) {
  call("Emulation.setDeviceMetricsOverride", {{"width", look.width},
                                              {"height", look.height},
                                              {"deviceScaleFactor", 1},
                                              {"mobile", false}});
  const json::object scheme{{"name", "prefers-color-scheme"},
                            {"value", look.dark ? "dark" : "light"}};
  const json::object motion{{"name", "prefers-reduced-motion"}, {"value", "reduce"}};
  call("Emulation.setEmulatedMedia", {{"features", json::array{scheme, motion}}});
  // From elsewhere: to another fragment of the same page it would not be loaded again.
  for (const std::string& url :
       {std::string("about:blank"),
        fmt::format("file://{}{}{}", page.string(), fragment.empty() ? "" : "#", fragment)}) {
    events_.clear();
    call("Page.navigate", {{"url", url}});
    wait_for("Page.loadEventFired");
  }
}

json::value Browser::evaluate(std::string_view script) {
  const json::object answer = call("Runtime.evaluate", {{"expression", script},
                                                        {"returnByValue", true},
                                                        {"awaitPromise", true},
                                                        {"userGesture", true}});
  if (const json::value* thrown = answer.if_contains("exceptionDetails")) {
    fail(fmt::format("{}: {}", script, json::serialize(*thrown)));
  }
  const json::value* value = answer.at("result").as_object().if_contains("value");
  return value == nullptr ? json::value() : *value;
}

void Browser::click(std::string_view selector) {
  const json::value place = evaluate(fmt::format(
      "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center'}});"
      " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
      json::serialize(json::string(selector))));
  for (const char* type : {"mouseMoved", "mousePressed", "mouseReleased"}) {
    call("Input.dispatchMouseEvent", {{"type", type},
                                      {"x", place.at(0)},
                                      {"y", place.at(1)},
                                      {"button", "left"},
                                      {"clickCount", 1}});
  }
}

void Browser::press(std::string_view key) {
  struct Code {
    std::string_view key;
    int code;
    std::string_view text;
  };
  static constexpr std::array kCodes{Code{"Tab", 9, ""}, Code{" ", 32, " "},
                                     Code{"Enter", 13, "\r"}, Code{"ArrowRight", 39, ""},
                                     Code{"ArrowLeft", 37, ""}};
  const auto* found =
      std::find_if(kCodes.begin(), kCodes.end(), [&](const Code& code) { return code.key == key; });
  if (found == kCodes.end()) fail(fmt::format("no key is called '{}' here", key));
  for (const char* type : {"keyDown", "keyUp"}) {
    json::object event{{"type", type},
                       {"key", key},
                       {"code", key == " " ? "Space" : key},
                       {"windowsVirtualKeyCode", found->code}};
    if (!found->text.empty()) event["text"] = found->text;
    call("Input.dispatchKeyEvent", std::move(event));
  }
}

void Browser::screenshot(const fs::path& file) {
  const json::value size =
      evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]");
  const json::object clip{{"x", 0},
                          {"y", 0},
                          {"width", size.at(0)},
                          {"height", std::min(size.at(1).to_number<int>(), kMostPixels)},
                          {"scale", 1}};
  const json::object picture =
      call("Page.captureScreenshot",
           {{"format", "png"}, {"captureBeyondViewport", true}, {"clip", clip}});
  const auto bytes = decode_base64(text_of(picture, "data"));
  if (!bytes) fail("its picture is no base64");
  std::ofstream out(file, std::ios::binary);
  out << *bytes;
  if (!out.flush()) fail("cannot write " + file.string());
}

}  // namespace parallax::harness::testing
