"""The verifier: climbs the ladder of every connection that somebody wants proven."""
