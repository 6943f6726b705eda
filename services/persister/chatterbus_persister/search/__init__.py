"""The index of words that search looks into: filled behind the ledger's back, never in its way.

Promises: what is indexed is read from `messages` as it is at that moment, so events may come twice, late, or in any
order; an event is acked after the commit of what it led to; one transaction at a time, over all instances, writes the
index; whenever events may be missing (another consumer, a hole, another language) the index is rebuilt from `messages`
in bounded steps whose position is kept with the data. Does not promise freshness: `chatterbus_search_lag_seconds`.
"""
