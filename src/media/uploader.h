// media/uploader.h: who sends an upload, and from where, as far as its headers tell. Pure. Private
// to the room.
#pragma once

#include <string>
#include <vector>

#include "base/network.h"
#include "net/net.h"
#include "policy/policy.h"

namespace portcullis::media {

struct Uploader {
  policy::UploaderClass kind = policy::UploaderClass::nobody;
  // Lemmy's local_user.id as the token claims it. Lemmy has checked the token before it relays an
  // upload; nobody else has.
  std::string account;
  // SHA-256 of the credential it carries, else of its address: who it is for fair shares.
  std::string owner;
  std::string address;               // of the client; empty: unknown
  bool address_is_verified = false;  // it was told by proxies that the admin trusts
};

// The claim `sub` of a JSON Web Token, if it is a number of up to 18 digits; empty otherwise. The
// signature is not looked at.
std::string subject_of_token(std::string_view token);

// The client's address after a chain of proxies: of all X-Forwarded-For lines together, from the
// right, the first that no trusted network contains. Ports are dropped. Empty when an entry that
// counts is no address. Without trusted proxies nothing in it can be believed: then it is what the
// proxy in front of Lemmy says.
struct Client {
  std::string address;
  bool is_verified = false;
};
Client client_of(const std::vector<std::string_view>& forwarded_for,
                 const std::vector<Network>& trusted_proxies);

// Fault::client, code "two-accounts", when its credentials name two different people. A request
// without X-Forwarded-For is Lemmy's own: nobody's.
Result<Uploader> uploader_of(const net::Request& request,
                             const std::vector<Network>& trusted_proxies,
                             const std::vector<std::string>& trusted_accounts);

}  // namespace portcullis::media
