"""The verbs: what BestChat does, in terms of ports.

stream          append, publish, follow: events once stored, deltas while they last
conversations   ConversationManager: create, read, find, arrange, delete
exchange        ExchangeService: forks, export, import
files           FileService: attached files, from the upload to what a model reads of them
titles          TitleService: a conversation's title by a model, if that is switched on
housekeeping    removing what was deleted long ago
context         ContextManager: the projection that a model gets to see
providers       ProviderRegistry: which model answers, through which provider
model_lists     ModelLists: the catalogue, completed with what providers tell
provider_settings  what is stored for providers, and which key a request is sent with
provider_trial  ProviderTrial: whether those settings are right, found out by using them
key_rotation    KeyRotation: master keys, new ones and an end to old ones
tools           ToolExecutor: which tools there are, and running them
tokens          BestChat's own credentials
failover        the one loop of attempts: retry, fallback, cooldown
budget          what a conversation may cost; how many turns may be under way
usage           UsageService: what each attempt cost, and sums over it
turns           TurnService: the only thing that turns the wheel
turn_plans      which events each way of asking for an answer comes to
turn_run        one turn while it runs in this process
cached          what comes back from the cache, if it can be read
draft           a streaming answer: pieces out at once, then in batches
reader          what a reader has, and so what it still lacks
telemetry       telling those who observe, without harm to what is observed
"""
