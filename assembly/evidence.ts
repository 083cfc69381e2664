import { Evidence, View, begin, end, equals, literal, writeView } from "../filter/index";
import { property } from "./host";

const URI_SAN = literal("connection\0uri_san_peer_certificate");
/** What Envoy's RBAC filter leaves of its shadow rules, with the prefix that docs/identity.md gives them. */
const RESULT = literal("metadata\0filter_metadata\0envoy.filters.http.rbac\0tollgate_shadow_engine_result");
const ALLOWED = literal("allowed");
/**
 * Where Envoy's JWT filter leaves what a token says that it has verified, by the name that Istio gives it. Claims are read one by one: the
 * host gives no value that holds null somewhere.
 */
const CLAIMS = literal("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0");

/** Properties of the current stream and its connection. `connection.mtls` is no proof: it tells of a certificate, not of its verification. */
export class HostEvidence extends Evidence {
  workload(): View {
    return property(URI_SAN);
  }

  isVerified(): bool {
    return equals(property(RESULT), ALLOWED);
  }

  claim(name: View): View {
    begin();
    writeView(CLAIMS);
    writeView(name);
    return property(end());
  }
}
