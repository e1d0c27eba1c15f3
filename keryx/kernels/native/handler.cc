// Refusals in words, and the one place where exceptions become errors.
#include "handler.h"

#include <algorithm>
#include <cstdio>
#include <new>

namespace keryx {
namespace want {

std::string text(Numbers numbers) {
  std::string found = "(";
  for (size_t i = 0; i < numbers.size(); i++) found += (i ? ", " : "") + std::to_string(numbers[i]);
  return found + (numbers.size() == 1 ? ",)" : ")");
}

void refuse(Name name, const std::string& wanted, const std::string& came) {
  std::string number = name.number < 0 ? "" : " " + std::to_string(name.number);
  throw Refused(name.kind + number + " wants " + wanted + "; got " + came);
}

void same(Name name, Numbers came, Numbers wanted) {
  if (std::equal(came.begin(), came.end(), wanted.begin(), wanted.end())) return;
  refuse(name, "the shape " + text(wanted), text(came));
}

void shape(Name name, Numbers came, std::initializer_list<int64_t> wanted) {
  same(name, came, {wanted.begin(), wanted.size()});
}

void rank(Name name, Numbers came, size_t wanted) {
  if (came.size() != wanted) refuse(name, std::to_string(wanted) + " axes", text(came));
}

void length(Name name, size_t came, size_t wanted) {
  if (came != wanted) refuse(name, std::to_string(wanted) + " numbers", std::to_string(came));
}

static std::string range(int64_t least, int64_t most) {
  return "from " + std::to_string(least) + " to " + std::to_string(most);
}

void between(Name name, int64_t came, int64_t least, int64_t most) {
  if (came < least || came > most) refuse(name, "a number " + range(least, most), std::to_string(came));
}

void between(Name name, Numbers came, int64_t least, int64_t most) {
  for (int64_t number : came) {
    if (number < least || number > most) refuse(name, "numbers " + range(least, most), text(came));
  }
}

void outputs(Name name, int axis, int64_t came, int64_t inputs, int64_t reach, int64_t stride, int64_t before,
             int64_t after) {
  auto windows = [&](int64_t spare) { return spare < 0 ? 0 : spare / stride + 1; };
  int64_t spare = inputs + before - reach, least = windows(spare), most = windows(spare + after);
  if (came >= least && came <= most) return;
  refuse(name, range(least, most) + " outputs along axis " + std::to_string(axis), std::to_string(came));
}

}  // namespace want

namespace {

XLA_FFI_Error* error(XLA_FFI_CallFrame* frame, XLA_FFI_Error_Code code, const char* name, const char* message) {
  char text[512];  // for an allocation may be what failed
  std::snprintf(text, sizeof text, "%s: %s", name, message);
  XLA_FFI_Error_Create_Args arguments{XLA_FFI_Error_Create_Args_STRUCT_SIZE, nullptr, text, code};
  return frame->api->XLA_FFI_Error_Create(&arguments);
}

}  // namespace

XLA_FFI_Error* guarded(const char* name, XLA_FFI_CallFrame* frame, XLA_FFI_Handler* handler) {
  try {
    return handler(frame);
  } catch (const Refused& refused) {
    return error(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, name, refused.what());
  } catch (const std::bad_alloc&) {
    return error(frame, XLA_FFI_Error_Code_RESOURCE_EXHAUSTED, name, "there is not enough memory");
  } catch (const std::exception& other) {
    return error(frame, XLA_FFI_Error_Code_INTERNAL, name, other.what());
  } catch (...) {
    return error(frame, XLA_FFI_Error_Code_INTERNAL, name, "an unknown failure");
  }
}

}  // namespace keryx
