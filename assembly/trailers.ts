import { headerCount, headerName, isOwnHeader, readHeaders } from "../filter/index";
import { HeaderMap, headerPairs, removeHeader } from "./host";

/**
 * Removes headers of Tollgate from a request's trailers: nothing of ours ever stands there, and an upstream that joins
 * trailers to headers would believe them. Called only for requests that have trailers.
 */
export function onRequestTrailers(): void {
  if (!readHeaders(headerPairs(HeaderMap.RequestTrailers))) return;
  for (let i = 0; i < headerCount; i++) {
    if (isOwnHeader(headerName(i))) removeHeader(HeaderMap.RequestTrailers, headerName(i));
  }
}
