// Made by python scripts/make_api_types.py: what Python really sends, and takes for secrets. Never edited.

import type { components } from "../src/api/generated.js";

export const welcome1: components["schemas"]["Welcome"] = {
  "type": "welcome",
  "protocol": 1,
  "version": "0.1.0",
  "heartbeat_seconds": 20.0
};

export const snapshot1: components["schemas"]["Snapshot"] = {
  "type": "snapshot",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "state": {
    "conversation": {
      "id": "01a207bd-a9c0-7000-8000-000000000000",
      "owner": "local",
      "seq": 53,
      "created_at": "2026-11-23T09:30:01Z",
      "updated_at": "2026-11-23T09:30:44Z",
      "title": "Sales of the autumn",
      "label": "reports/sales.ipynb",
      "version": 3,
      "settings": {
        "model": "openai/gpt-5-mini",
        "fallback_models": [
          "anthropic/claude-sonnet-5"
        ],
        "system_prompt": "Answer in one sentence.",
        "max_cost": "0.50"
      },
      "starred": true,
      "queue": [
        {
          "turn_id": "01a207be-9808-7000-8000-00000000003d",
          "request_id": "cell-61",
          "text": "And in winter?",
          "model": "openai/gpt-5-mini",
          "queued_at": "2026-11-23T09:30:40Z",
          "images": [
            {
              "type": "image",
              "media_type": "image/png",
              "data": "iVBORw=="
            }
          ],
          "options": {
            "temperature": 0.2
          },
          "files": [
            {
              "type": "file",
              "file_id": "01a207be-e628-7000-8000-000000000051",
              "name": "sales.csv",
              "media_type": "text/csv",
              "size": 1234
            }
          ]
        }
      ]
    },
    "messages": {
      "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
        "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
        "parent_id": null,
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "How did sales go?"
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
      },
      "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
        "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
        "role": "assistant",
        "parts": [
          {
            "type": "reasoning",
            "text": "The file has to be read first."
          },
          {
            "type": "text",
            "text": "I am reading the file — *at once*."
          },
          {
            "type": "tool_call",
            "call": {
              "id": "call_1",
              "name": "read_file",
              "arguments": "{\"path\": \"sales.csv\"}"
            },
            "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
          },
          {
            "type": "tool_call",
            "call": {
              "id": "call_2",
              "name": "run_code",
              "arguments": "{\"code\": \"df.describe()\"}"
            },
            "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
          }
        ],
        "created_at": "2026-11-23T09:30:02Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "step": 1,
        "model": "openai/gpt-5-mini",
        "usage": {
          "input_tokens": 812,
          "output_tokens": 64,
          "cached_tokens": 512,
          "reasoning_tokens": 20
        },
        "finish_reason": "tool_calls"
      },
      "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6": {
        "id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
        "parent_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "role": "tool",
        "parts": [
          {
            "type": "tool_result",
            "call_id": "call_1",
            "name": "read_file",
            "result": {
              "content": "month,sales\n2026-09,120\n2026-10,135\n"
            }
          },
          {
            "type": "tool_result",
            "call_id": "call_2",
            "name": "run_code",
            "result": {
              "content": "The user rejected this call. Use the file only.",
              "is_error": true
            }
          }
        ],
        "created_at": "2026-11-23T09:30:09Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "step": 1
      },
      "01a207bd-d0d0-7763-9af3-0b43cc24fe97": {
        "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
        "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
        "role": "assistant",
        "parts": [
          {
            "type": "text",
            "text": "Sales grew by **12.5 %** 📈."
          }
        ],
        "created_at": "2026-11-23T09:30:12.250000Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "step": 2,
        "model": "openai/gpt-5-mini",
        "usage": {
          "input_tokens": 905,
          "output_tokens": 17
        },
        "finish_reason": "stop",
        "pinned": true
      },
      "01a207bd-f7e0-736f-bb5f-a8066c349506": {
        "id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
        "parent_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "And next year?"
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207bd-f7e0-7000-8000-000000000014"
      },
      "01a207be-1ef0-725c-bad5-3381dfa9f133": {
        "id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "parent_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "Tell me a story."
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
      },
      "01a207be-1ef0-7e40-aab8-f708218cfc85": {
        "id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
        "parent_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "role": "assistant",
        "parts": [
          {
            "type": "text",
            "text": "Once upon"
          }
        ],
        "created_at": "2026-11-23T09:30:31Z",
        "turn_id": "01a207be-1ef0-7000-8000-00000000001e",
        "step": 1,
        "model": "openai/gpt-5-mini",
        "partial": true
      },
      "01a207be-4600-744f-94c1-80a5815a105a": {
        "id": "01a207be-4600-744f-94c1-80a5815a105a",
        "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "Go on."
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207be-4600-7000-8000-000000000028"
      }
    },
    "turns": {
      "01a207bd-d0d0-7000-8000-00000000000a": {
        "id": "01a207bd-d0d0-7000-8000-00000000000a",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-000a",
        "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:06Z",
        "state": "finished",
        "step": 2,
        "usage": {
          "input_tokens": 1717,
          "output_tokens": 81,
          "cached_tokens": 512,
          "reasoning_tokens": 20
        },
        "ended_at": "2026-11-23T09:30:22Z",
        "options": {}
      },
      "01a207bd-f7e0-7000-8000-000000000014": {
        "id": "01a207bd-f7e0-7000-8000-000000000014",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-0014",
        "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:24Z",
        "state": "failed",
        "step": 1,
        "error": {
          "code": "rate_limited",
          "kind": "upstream",
          "text": "The provider asks to wait.",
          "hint": "Try again later.",
          "retry_after": 12.5
        },
        "ended_at": "2026-11-23T09:30:27Z",
        "fallback": "anthropic/claude-sonnet-5",
        "options": {}
      },
      "01a207be-1ef0-7000-8000-00000000001e": {
        "id": "01a207be-1ef0-7000-8000-00000000001e",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-001e",
        "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:29Z",
        "state": "cancelled",
        "step": 1,
        "cancelling": true,
        "usage": {},
        "ended_at": "2026-11-23T09:30:33Z",
        "options": {}
      },
      "01a207be-4600-7000-8000-000000000028": {
        "id": "01a207be-4600-7000-8000-000000000028",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-0028",
        "message_id": "01a207be-4600-744f-94c1-80a5815a105a",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:35Z",
        "state": "interrupted",
        "step": 1,
        "ended_at": "2026-11-23T09:30:40Z",
        "options": {},
        "first_message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133"
      },
      "01a207be-bb30-7000-8000-000000000046": {
        "id": "01a207be-bb30-7000-8000-000000000046",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "on-1",
        "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:42Z",
        "state": "failed",
        "step": 1,
        "error": {
          "code": "rate_limited",
          "kind": "upstream",
          "text": "The provider asks to wait.",
          "hint": "Try again later.",
          "retry_after": 12.5
        },
        "ended_at": "2026-11-23T09:30:44Z",
        "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
        "options": {}
      }
    },
    "executions": {
      "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
        "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "step": 1,
        "position": 0,
        "call": {
          "id": "call_1",
          "name": "read_file",
          "arguments": "{\"path\": \"sales.csv\"}"
        },
        "state": "done",
        "decision": {
          "verdict": "approve",
          "arguments": "{\"path\": \"data/sales.csv\"}"
        },
        "result": {
          "content": "month,sales\n2026-09,120\n2026-10,135\n"
        }
      },
      "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
        "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "step": 1,
        "position": 1,
        "call": {
          "id": "call_2",
          "name": "run_code",
          "arguments": "{\"code\": \"df.describe()\"}"
        },
        "state": "denied",
        "placement": "kernel",
        "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
        "decision": {
          "verdict": "reject",
          "reason": "Use the file only."
        },
        "result": {
          "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
          "is_error": true
        }
      }
    }
  }
};

export const conversationCreated1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 1,
  "at": "2026-11-23T09:30:01Z",
  "event": {
    "type": "conversation_created",
    "owner": "local",
    "title": "",
    "label": "reports/sales.ipynb",
    "settings": {},
    "forked_from": null
  }
};

export const conversationRenamed1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 2,
  "at": "2026-11-23T09:30:02Z",
  "event": {
    "type": "conversation_renamed",
    "title": "How did sales go?",
    "replaces": null,
    "first": true
  }
};

export const conversationRenamed2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 3,
  "at": "2026-11-23T09:30:03Z",
  "event": {
    "type": "conversation_renamed",
    "title": "Not this",
    "replaces": null,
    "first": true
  }
};

export const conversationRenamed3: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 4,
  "at": "2026-11-23T09:30:04Z",
  "event": {
    "type": "conversation_renamed",
    "title": "Sales of the autumn",
    "replaces": null,
    "first": false
  }
};

export const messageAdded1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 5,
  "at": "2026-11-23T09:30:05Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "parent_id": null,
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "How did sales go?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
    }
  }
};

export const turnStarted1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 6,
  "at": "2026-11-23T09:30:06Z",
  "event": {
    "type": "turn_started",
    "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
    "request_id": "cell-000a",
    "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
    "model": "openai/gpt-5-mini",
    "attended": true,
    "parent_id": null,
    "options": {}
  }
};

export const stepStarted1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 7,
  "at": "2026-11-23T09:30:07Z",
  "event": {
    "type": "step_started",
    "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
    "step": 1,
    "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
    "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6"
  }
};

export const messageAdded2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 8,
  "at": "2026-11-23T09:30:08Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "role": "assistant",
      "parts": [
        {
          "type": "reasoning",
          "text": "The file has to be read first."
        },
        {
          "type": "text",
          "text": "I am reading the file — *at once*."
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_1",
            "name": "read_file",
            "arguments": "{\"path\": \"sales.csv\"}"
          },
          "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_2",
            "name": "run_code",
            "arguments": "{\"code\": \"df.describe()\"}"
          },
          "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
        }
      ],
      "created_at": "2026-11-23T09:30:02Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "finish_reason": "tool_calls"
    }
  }
};

export const toolProposed1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 9,
  "at": "2026-11-23T09:30:09Z",
  "event": {
    "type": "tool_proposed",
    "execution": {
      "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 0,
      "call": {
        "id": "call_1",
        "name": "read_file",
        "arguments": "{\"path\": \"sales.csv\"}"
      }
    }
  }
};

export const toolProposed2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 10,
  "at": "2026-11-23T09:30:10Z",
  "event": {
    "type": "tool_proposed",
    "execution": {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11"
    }
  }
};

export const approvalRequested1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 11,
  "at": "2026-11-23T09:30:11Z",
  "event": {
    "type": "approval_requested",
    "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
  }
};

export const approvalRequested2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 12,
  "at": "2026-11-23T09:30:12Z",
  "event": {
    "type": "approval_requested",
    "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
  }
};

export const turnWaiting1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 13,
  "at": "2026-11-23T09:30:13Z",
  "event": {
    "type": "turn_waiting",
    "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
  }
};

export const approvalAnswered1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 14,
  "at": "2026-11-23T09:30:14Z",
  "event": {
    "type": "approval_answered",
    "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
    "decision": {
      "verdict": "approve",
      "arguments": "{\"path\": \"data/sales.csv\"}"
    }
  }
};

export const approvalAnswered2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 15,
  "at": "2026-11-23T09:30:15Z",
  "event": {
    "type": "approval_answered",
    "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
    "decision": {
      "verdict": "reject",
      "reason": "Use the file only."
    }
  }
};

export const turnResumed1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 16,
  "at": "2026-11-23T09:30:16Z",
  "event": {
    "type": "turn_resumed",
    "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
  }
};

export const toolStarted1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 17,
  "at": "2026-11-23T09:30:17Z",
  "event": {
    "type": "tool_started",
    "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
  }
};

export const toolFinished1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 18,
  "at": "2026-11-23T09:30:18Z",
  "event": {
    "type": "tool_finished",
    "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
    "state": "done",
    "result": {
      "content": "month,sales\n2026-09,120\n2026-10,135\n"
    }
  }
};

export const messageAdded3: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 19,
  "at": "2026-11-23T09:30:19Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "parent_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "role": "tool",
      "parts": [
        {
          "type": "tool_result",
          "call_id": "call_1",
          "name": "read_file",
          "result": {
            "content": "month,sales\n2026-09,120\n2026-10,135\n"
          }
        },
        {
          "type": "tool_result",
          "call_id": "call_2",
          "name": "run_code",
          "result": {
            "content": "The user rejected this call. Use the file only.",
            "is_error": true
          }
        }
      ],
      "created_at": "2026-11-23T09:30:09Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1
    }
  }
};

export const stepStarted2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 20,
  "at": "2026-11-23T09:30:20Z",
  "event": {
    "type": "step_started",
    "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
    "step": 2,
    "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
    "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6"
  }
};

export const messageAdded4: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 21,
  "at": "2026-11-23T09:30:21Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "role": "assistant",
      "parts": [
        {
          "type": "text",
          "text": "Sales grew by **12.5 %** 📈."
        }
      ],
      "created_at": "2026-11-23T09:30:12.250000Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 2,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 905,
        "output_tokens": 17
      },
      "finish_reason": "stop"
    }
  }
};

export const turnFinished1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 22,
  "at": "2026-11-23T09:30:22Z",
  "event": {
    "type": "turn_finished",
    "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
  }
};

export const messageAdded5: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 23,
  "at": "2026-11-23T09:30:23Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "parent_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "And next year?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-f7e0-7000-8000-000000000014"
    }
  }
};

export const turnStarted2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 24,
  "at": "2026-11-23T09:30:24Z",
  "event": {
    "type": "turn_started",
    "turn_id": "01a207bd-f7e0-7000-8000-000000000014",
    "request_id": "cell-0014",
    "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
    "model": "openai/gpt-5-mini",
    "attended": true,
    "parent_id": null,
    "options": {}
  }
};

export const stepStarted3: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 25,
  "at": "2026-11-23T09:30:25Z",
  "event": {
    "type": "step_started",
    "turn_id": "01a207bd-f7e0-7000-8000-000000000014",
    "step": 1,
    "message_id": "01a207bd-f7e0-7cbd-ae40-be29f3c9874b",
    "parent_id": "01a207bd-f7e0-736f-bb5f-a8066c349506"
  }
};

export const attemptFailed1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 26,
  "at": "2026-11-23T09:30:26Z",
  "event": {
    "type": "attempt_failed",
    "turn_id": "01a207bd-f7e0-7000-8000-000000000014",
    "step": 1,
    "model": "openai/gpt-5-mini",
    "error": {
      "code": "rate_limited",
      "kind": "upstream",
      "text": "The provider asks to wait.",
      "hint": "Try again later.",
      "retry_after": 12.5
    },
    "next_model": "anthropic/claude-sonnet-5",
    "kept": false
  }
};

export const turnFailed1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 27,
  "at": "2026-11-23T09:30:27Z",
  "event": {
    "type": "turn_failed",
    "turn_id": "01a207bd-f7e0-7000-8000-000000000014",
    "error": {
      "code": "rate_limited",
      "kind": "upstream",
      "text": "The provider asks to wait.",
      "hint": "Try again later.",
      "retry_after": 12.5
    }
  }
};

export const messageAdded6: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 28,
  "at": "2026-11-23T09:30:28Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "parent_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "Tell me a story."
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
    }
  }
};

export const turnStarted3: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 29,
  "at": "2026-11-23T09:30:29Z",
  "event": {
    "type": "turn_started",
    "turn_id": "01a207be-1ef0-7000-8000-00000000001e",
    "request_id": "cell-001e",
    "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
    "model": "openai/gpt-5-mini",
    "attended": true,
    "parent_id": null,
    "options": {}
  }
};

export const stepStarted4: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 30,
  "at": "2026-11-23T09:30:30Z",
  "event": {
    "type": "step_started",
    "turn_id": "01a207be-1ef0-7000-8000-00000000001e",
    "step": 1,
    "message_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
    "parent_id": "01a207be-1ef0-725c-bad5-3381dfa9f133"
  }
};

export const cancelRequested1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 31,
  "at": "2026-11-23T09:30:31Z",
  "event": {
    "type": "cancel_requested",
    "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
  }
};

export const messageAdded7: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 32,
  "at": "2026-11-23T09:30:32Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
      "parent_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "role": "assistant",
      "parts": [
        {
          "type": "text",
          "text": "Once upon"
        }
      ],
      "created_at": "2026-11-23T09:30:31Z",
      "turn_id": "01a207be-1ef0-7000-8000-00000000001e",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "partial": true
    }
  }
};

export const turnCancelled1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 33,
  "at": "2026-11-23T09:30:33Z",
  "event": {
    "type": "turn_cancelled",
    "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
  }
};

export const messageAdded8: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 34,
  "at": "2026-11-23T09:30:34Z",
  "event": {
    "type": "message_added",
    "message": {
      "id": "01a207be-4600-744f-94c1-80a5815a105a",
      "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "Go on."
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207be-4600-7000-8000-000000000028"
    }
  }
};

export const turnStarted4: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 35,
  "at": "2026-11-23T09:30:35Z",
  "event": {
    "type": "turn_started",
    "turn_id": "01a207be-4600-7000-8000-000000000028",
    "request_id": "cell-0028",
    "message_id": "01a207be-4600-744f-94c1-80a5815a105a",
    "model": "openai/gpt-5-mini",
    "attended": true,
    "parent_id": null,
    "options": {}
  }
};

export const stepStarted5: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 36,
  "at": "2026-11-23T09:30:36Z",
  "event": {
    "type": "step_started",
    "turn_id": "01a207be-4600-7000-8000-000000000028",
    "step": 1,
    "message_id": "01a207be-4600-756e-8a31-17b743a3dff6",
    "parent_id": "01a207be-4600-744f-94c1-80a5815a105a"
  }
};

export const messageQueued1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 37,
  "at": "2026-11-23T09:30:37Z",
  "event": {
    "type": "message_queued",
    "message": {
      "turn_id": "01a207be-9420-7000-8000-00000000003c",
      "request_id": "cell-60",
      "text": "And in winter?",
      "model": "openai/gpt-5-mini",
      "queued_at": "2026-11-23T09:30:40Z",
      "images": [
        {
          "type": "image",
          "media_type": "image/png",
          "data": "iVBORw=="
        }
      ],
      "options": {
        "temperature": 0.2
      },
      "files": [
        {
          "type": "file",
          "file_id": "01a207be-e628-7000-8000-000000000051",
          "name": "sales.csv",
          "media_type": "text/csv",
          "size": 1234
        }
      ]
    }
  }
};

export const messageQueued2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 38,
  "at": "2026-11-23T09:30:38Z",
  "event": {
    "type": "message_queued",
    "message": {
      "turn_id": "01a207be-9808-7000-8000-00000000003d",
      "request_id": "cell-61",
      "text": "And in winter?",
      "model": "openai/gpt-5-mini",
      "queued_at": "2026-11-23T09:30:40Z",
      "images": [
        {
          "type": "image",
          "media_type": "image/png",
          "data": "iVBORw=="
        }
      ],
      "options": {
        "temperature": 0.2
      },
      "files": [
        {
          "type": "file",
          "file_id": "01a207be-e628-7000-8000-000000000051",
          "name": "sales.csv",
          "media_type": "text/csv",
          "size": 1234
        }
      ]
    }
  }
};

export const requestReduced1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 39,
  "at": "2026-11-23T09:30:39Z",
  "event": {
    "type": "request_reduced",
    "turn_id": "01a207be-4600-7000-8000-000000000028",
    "step": 1,
    "first_message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
    "left_out": 7,
    "tokens_before": 9000,
    "tokens_after": 4200,
    "window": 10000
  }
};

export const turnInterrupted1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 40,
  "at": "2026-11-23T09:30:40Z",
  "event": {
    "type": "turn_interrupted",
    "turn_id": "01a207be-4600-7000-8000-000000000028"
  }
};

export const messageUnqueued1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 41,
  "at": "2026-11-23T09:30:41Z",
  "event": {
    "type": "message_unqueued",
    "turn_id": "01a207be-9420-7000-8000-00000000003c"
  }
};

export const turnStarted5: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 42,
  "at": "2026-11-23T09:30:42Z",
  "event": {
    "type": "turn_started",
    "turn_id": "01a207be-bb30-7000-8000-000000000046",
    "request_id": "on-1",
    "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
    "model": "openai/gpt-5-mini",
    "attended": true,
    "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
    "options": {}
  }
};

export const stepStarted6: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 43,
  "at": "2026-11-23T09:30:43Z",
  "event": {
    "type": "step_started",
    "turn_id": "01a207be-bb30-7000-8000-000000000046",
    "step": 1,
    "message_id": "01a207be-bb30-7832-bf4c-d9abeb219e15",
    "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85"
  }
};

export const turnFailed2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 44,
  "at": "2026-11-23T09:30:44Z",
  "event": {
    "type": "turn_failed",
    "turn_id": "01a207be-bb30-7000-8000-000000000046",
    "error": {
      "code": "rate_limited",
      "kind": "upstream",
      "text": "The provider asks to wait.",
      "hint": "Try again later.",
      "retry_after": 12.5
    }
  }
};

export const conversationConfigured1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 45,
  "at": "2026-11-23T09:30:45Z",
  "event": {
    "type": "conversation_configured",
    "settings": {
      "model": "openai/gpt-5-mini",
      "fallback_models": [
        "anthropic/claude-sonnet-5"
      ],
      "system_prompt": "Answer in one sentence.",
      "max_cost": "0.50"
    },
    "replaces": 2
  }
};

export const conversationStarred1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 46,
  "at": "2026-11-23T09:30:46Z",
  "event": {
    "type": "conversation_starred",
    "starred": true
  }
};

export const conversationArchived1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 47,
  "at": "2026-11-23T09:30:47Z",
  "event": {
    "type": "conversation_archived",
    "archived": true
  }
};

export const conversationArchived2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 48,
  "at": "2026-11-23T09:30:48Z",
  "event": {
    "type": "conversation_archived",
    "archived": false
  }
};

export const messagePinned1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 49,
  "at": "2026-11-23T09:30:49Z",
  "event": {
    "type": "message_pinned",
    "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
    "pinned": true
  }
};

export const messagePinned2: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 50,
  "at": "2026-11-23T09:30:50Z",
  "event": {
    "type": "message_pinned",
    "message_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
    "pinned": true
  }
};

export const messagePinned3: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 51,
  "at": "2026-11-23T09:30:51Z",
  "event": {
    "type": "message_pinned",
    "message_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
    "pinned": false
  }
};

export const conversationTrashed1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 52,
  "at": "2026-11-23T09:30:52Z",
  "event": {
    "type": "conversation_trashed"
  }
};

export const conversationRestored1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 53,
  "at": "2026-11-23T09:30:53Z",
  "event": {
    "type": "conversation_restored"
  }
};

export const conversationDeleted1: components["schemas"]["Envelope"] = {
  "type": "event",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 54,
  "at": "2026-11-23T09:30:54Z",
  "event": {
    "type": "conversation_deleted"
  }
};

export const delta1: components["schemas"]["Delta"] = {
  "type": "delta",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
  "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
  "part": 0,
  "kind": "text",
  "first": 1,
  "n": 3,
  "text": "Sales grew",
  "attempt": 1
};

export const caughtUp1: components["schemas"]["CaughtUp"] = {
  "type": "caught_up",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "seq": 53
};

export const heartbeat1: components["schemas"]["Heartbeat"] = {
  "type": "heartbeat",
  "seqs": {
    "01a207bd-a9c0-7000-8000-000000000000": 53
  }
};

export const problem1: components["schemas"]["Problem"] = {
  "type": "error",
  "error": {
    "code": "not_found",
    "kind": "missing",
    "text": "There is no such object.",
    "hint": "Check the id, or list what you have."
  },
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const hello1: components["schemas"]["Hello"] = {
  "type": "hello",
  "protocol": 1
};

export const subscribe1: components["schemas"]["Subscribe"] = {
  "type": "subscribe",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const subscribe2: components["schemas"]["Subscribe"] = {
  "type": "subscribe",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "after": 53,
  "draft": {
    "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
    "part": 0,
    "n": 3,
    "attempt": 1
  }
};

export const unsubscribe1: components["schemas"]["Unsubscribe"] = {
  "type": "unsubscribe",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const ping1: components["schemas"]["Ping"] = {
  "type": "ping"
};

export const createConversation1: components["schemas"]["CreateConversation"] = {
  "label": "reports/sales.ipynb",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const getConversation1: components["schemas"]["GetConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const listConversations1: components["schemas"]["ListConversations"] = {
  "limit": 20
};

export const renameConversation1: components["schemas"]["RenameConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "title": "Sales of the autumn"
};

export const searchConversations1: components["schemas"]["SearchConversations"] = {
  "query": "autumn sal"
};

export const configureConversation1: components["schemas"]["ConfigureConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "settings": {
    "model": "openai/gpt-5-mini",
    "fallback_models": [
      "anthropic/claude-sonnet-5"
    ],
    "system_prompt": "Answer in one sentence.",
    "max_cost": "0.50"
  },
  "version": 2
};

export const starConversation1: components["schemas"]["StarConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const archiveConversation1: components["schemas"]["ArchiveConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const forkConversation1: components["schemas"]["ForkConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97"
};

export const exportConversation1: components["schemas"]["ExportConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "format": "notebook"
};

export const importConversation1: components["schemas"]["ImportConversation"] = {
  "content": "{}",
  "format": "jupyter-ai"
};

export const deleteConversation1: components["schemas"]["DeleteConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const restoreConversation1: components["schemas"]["RestoreConversation"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const startTurn1: components["schemas"]["StartTurn"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "cell-1",
  "model": "openai/gpt-5-mini",
  "text": "How did sales go?",
  "queue": true
};

export const continueTurn1: components["schemas"]["ContinueTurn"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "on-1",
  "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
};

export const unqueueMessage1: components["schemas"]["UnqueueMessage"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "turn_id": "01a207be-9420-7000-8000-00000000003c"
};

export const sendQueued1: components["schemas"]["SendQueued"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const editMessage1: components["schemas"]["EditMessage"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "edit-1",
  "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
  "text": "How did sales go in autumn?"
};

export const regenerateAnswer1: components["schemas"]["RegenerateAnswer"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "again-1",
  "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97"
};

export const pinMessage1: components["schemas"]["PinMessage"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97"
};

export const createFile1: components["schemas"]["CreateFile"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "name": "sales.csv",
  "size": 1234
};

export const getFile1: components["schemas"]["GetFile"] = {
  "file_id": "01a207be-e628-7000-8000-000000000051"
};

export const listFiles1: components["schemas"]["ListFiles"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000"
};

export const deleteFile1: components["schemas"]["DeleteFile"] = {
  "file_id": "01a207be-e628-7000-8000-000000000051"
};

export const cancelTurn1: components["schemas"]["CancelTurn"] = {
  "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
};

export const getTurn1: components["schemas"]["GetTurn"] = {
  "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
};

export const readPage1: components["schemas"]["ReadPage"] = {
  "url": "https://example.org/sales"
};

export const listApprovals1: components["schemas"]["ListApprovals"] = {};

export const answerApproval1: components["schemas"]["AnswerApproval"] = {
  "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
  "verdict": "approve",
  "arguments": "{\"path\": \"data/sales.csv\"}"
};

export const replayEvents1: components["schemas"]["ReplayEvents"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "after": 3
};

export const subscribeEvents1: components["schemas"]["SubscribeEvents"] = {
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "after": 3
};

export const listModels1: components["schemas"]["ListModels"] = {};

export const listModels2: components["schemas"]["ListModels"] = {
  "known_only": true,
  "provider": "openai"
};

export const getModel1: components["schemas"]["GetModel"] = {
  "model": "openai/gpt-5-mini"
};

export const listProviders1: components["schemas"]["ListProviders"] = {};

export const configureProvider1: components["schemas"]["ConfigureProvider"] = {
  "provider": "openai",
  "base_url": "http://gateway.example.org/v1",
  "version": 1
};

export const checkProvider1: components["schemas"]["CheckProvider"] = {
  "provider": "openai",
  "model": "openai/gpt-5-mini"
};

export const forgetProvider1: components["schemas"]["ForgetProvider"] = {
  "provider": "openai"
};

export const createToken1: components["schemas"]["CreateToken"] = {
  "name": "Night build",
  "scopes": [
    "turns",
    "conversations:write"
  ],
  "expires_in": 7776000
};

export const listTokens1: components["schemas"]["ListTokens"] = {
  "limit": 20
};

export const revokeToken1: components["schemas"]["RevokeToken"] = {
  "token_id": "01a207be-6d10-7000-8000-000000000032"
};

export const summarizeUsage1: components["schemas"]["SummarizeUsage"] = {
  "by": "model",
  "since": "2026-11-01"
};

export const getHealth1: components["schemas"]["GetHealth"] = {};

export const whoAmI1: components["schemas"]["WhoAmI"] = {};

export const listOptions1: components["schemas"]["ListOptions"] = {};

export const conversation1: components["schemas"]["Conversation"] = {
  "id": "01a207bd-a9c0-7000-8000-000000000000",
  "owner": "local",
  "seq": 53,
  "created_at": "2026-11-23T09:30:01Z",
  "updated_at": "2026-11-23T09:30:44Z",
  "title": "Sales of the autumn",
  "label": "reports/sales.ipynb",
  "version": 3,
  "settings": {
    "model": "openai/gpt-5-mini",
    "fallback_models": [
      "anthropic/claude-sonnet-5"
    ],
    "system_prompt": "Answer in one sentence.",
    "max_cost": "0.50"
  },
  "starred": true,
  "queue": [
    {
      "turn_id": "01a207be-9808-7000-8000-00000000003d",
      "request_id": "cell-61",
      "text": "And in winter?",
      "model": "openai/gpt-5-mini",
      "queued_at": "2026-11-23T09:30:40Z",
      "images": [
        {
          "type": "image",
          "media_type": "image/png",
          "data": "iVBORw=="
        }
      ],
      "options": {
        "temperature": 0.2
      },
      "files": [
        {
          "type": "file",
          "file_id": "01a207be-e628-7000-8000-000000000051",
          "name": "sales.csv",
          "media_type": "text/csv",
          "size": 1234
        }
      ]
    }
  ]
};

export const conversationState1: components["schemas"]["ConversationState"] = {
  "conversation": {
    "id": "01a207bd-a9c0-7000-8000-000000000000",
    "owner": "local",
    "seq": 53,
    "created_at": "2026-11-23T09:30:01Z",
    "updated_at": "2026-11-23T09:30:44Z",
    "title": "Sales of the autumn",
    "label": "reports/sales.ipynb",
    "version": 3,
    "settings": {
      "model": "openai/gpt-5-mini",
      "fallback_models": [
        "anthropic/claude-sonnet-5"
      ],
      "system_prompt": "Answer in one sentence.",
      "max_cost": "0.50"
    },
    "starred": true,
    "queue": [
      {
        "turn_id": "01a207be-9808-7000-8000-00000000003d",
        "request_id": "cell-61",
        "text": "And in winter?",
        "model": "openai/gpt-5-mini",
        "queued_at": "2026-11-23T09:30:40Z",
        "images": [
          {
            "type": "image",
            "media_type": "image/png",
            "data": "iVBORw=="
          }
        ],
        "options": {
          "temperature": 0.2
        },
        "files": [
          {
            "type": "file",
            "file_id": "01a207be-e628-7000-8000-000000000051",
            "name": "sales.csv",
            "media_type": "text/csv",
            "size": 1234
          }
        ]
      }
    ]
  },
  "messages": {
    "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
      "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "parent_id": null,
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "How did sales go?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
    },
    "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
      "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "role": "assistant",
      "parts": [
        {
          "type": "reasoning",
          "text": "The file has to be read first."
        },
        {
          "type": "text",
          "text": "I am reading the file — *at once*."
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_1",
            "name": "read_file",
            "arguments": "{\"path\": \"sales.csv\"}"
          },
          "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_2",
            "name": "run_code",
            "arguments": "{\"code\": \"df.describe()\"}"
          },
          "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
        }
      ],
      "created_at": "2026-11-23T09:30:02Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "finish_reason": "tool_calls"
    },
    "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6": {
      "id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "parent_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "role": "tool",
      "parts": [
        {
          "type": "tool_result",
          "call_id": "call_1",
          "name": "read_file",
          "result": {
            "content": "month,sales\n2026-09,120\n2026-10,135\n"
          }
        },
        {
          "type": "tool_result",
          "call_id": "call_2",
          "name": "run_code",
          "result": {
            "content": "The user rejected this call. Use the file only.",
            "is_error": true
          }
        }
      ],
      "created_at": "2026-11-23T09:30:09Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1
    },
    "01a207bd-d0d0-7763-9af3-0b43cc24fe97": {
      "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "role": "assistant",
      "parts": [
        {
          "type": "text",
          "text": "Sales grew by **12.5 %** 📈."
        }
      ],
      "created_at": "2026-11-23T09:30:12.250000Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 2,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 905,
        "output_tokens": 17
      },
      "finish_reason": "stop",
      "pinned": true
    },
    "01a207bd-f7e0-736f-bb5f-a8066c349506": {
      "id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "parent_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "And next year?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-f7e0-7000-8000-000000000014"
    },
    "01a207be-1ef0-725c-bad5-3381dfa9f133": {
      "id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "parent_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "Tell me a story."
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
    },
    "01a207be-1ef0-7e40-aab8-f708218cfc85": {
      "id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
      "parent_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "role": "assistant",
      "parts": [
        {
          "type": "text",
          "text": "Once upon"
        }
      ],
      "created_at": "2026-11-23T09:30:31Z",
      "turn_id": "01a207be-1ef0-7000-8000-00000000001e",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "partial": true
    },
    "01a207be-4600-744f-94c1-80a5815a105a": {
      "id": "01a207be-4600-744f-94c1-80a5815a105a",
      "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "Go on."
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207be-4600-7000-8000-000000000028"
    }
  },
  "turns": {
    "01a207bd-d0d0-7000-8000-00000000000a": {
      "id": "01a207bd-d0d0-7000-8000-00000000000a",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-000a",
      "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:06Z",
      "state": "finished",
      "step": 2,
      "usage": {
        "input_tokens": 1717,
        "output_tokens": 81,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "ended_at": "2026-11-23T09:30:22Z",
      "options": {}
    },
    "01a207bd-f7e0-7000-8000-000000000014": {
      "id": "01a207bd-f7e0-7000-8000-000000000014",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-0014",
      "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:24Z",
      "state": "failed",
      "step": 1,
      "error": {
        "code": "rate_limited",
        "kind": "upstream",
        "text": "The provider asks to wait.",
        "hint": "Try again later.",
        "retry_after": 12.5
      },
      "ended_at": "2026-11-23T09:30:27Z",
      "fallback": "anthropic/claude-sonnet-5",
      "options": {}
    },
    "01a207be-1ef0-7000-8000-00000000001e": {
      "id": "01a207be-1ef0-7000-8000-00000000001e",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-001e",
      "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:29Z",
      "state": "cancelled",
      "step": 1,
      "cancelling": true,
      "usage": {},
      "ended_at": "2026-11-23T09:30:33Z",
      "options": {}
    },
    "01a207be-4600-7000-8000-000000000028": {
      "id": "01a207be-4600-7000-8000-000000000028",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-0028",
      "message_id": "01a207be-4600-744f-94c1-80a5815a105a",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:35Z",
      "state": "interrupted",
      "step": 1,
      "ended_at": "2026-11-23T09:30:40Z",
      "options": {},
      "first_message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133"
    },
    "01a207be-bb30-7000-8000-000000000046": {
      "id": "01a207be-bb30-7000-8000-000000000046",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "on-1",
      "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:42Z",
      "state": "failed",
      "step": 1,
      "error": {
        "code": "rate_limited",
        "kind": "upstream",
        "text": "The provider asks to wait.",
        "hint": "Try again later.",
        "retry_after": 12.5
      },
      "ended_at": "2026-11-23T09:30:44Z",
      "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
      "options": {}
    }
  },
  "executions": {
    "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
      "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 0,
      "call": {
        "id": "call_1",
        "name": "read_file",
        "arguments": "{\"path\": \"sales.csv\"}"
      },
      "state": "done",
      "decision": {
        "verdict": "approve",
        "arguments": "{\"path\": \"data/sales.csv\"}"
      },
      "result": {
        "content": "month,sales\n2026-09,120\n2026-10,135\n"
      }
    },
    "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "state": "denied",
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
      "decision": {
        "verdict": "reject",
        "reason": "Use the file only."
      },
      "result": {
        "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
        "is_error": true
      }
    }
  }
};

export const conversationPage1: components["schemas"]["ConversationPage"] = {
  "conversations": [
    {
      "id": "01a207bd-a9c0-7000-8000-000000000000",
      "owner": "local",
      "seq": 53,
      "created_at": "2026-11-23T09:30:01Z",
      "updated_at": "2026-11-23T09:30:44Z",
      "title": "Sales of the autumn",
      "label": "reports/sales.ipynb",
      "version": 3,
      "settings": {
        "model": "openai/gpt-5-mini",
        "fallback_models": [
          "anthropic/claude-sonnet-5"
        ],
        "system_prompt": "Answer in one sentence.",
        "max_cost": "0.50"
      },
      "starred": true,
      "queue": [
        {
          "turn_id": "01a207be-9808-7000-8000-00000000003d",
          "request_id": "cell-61",
          "text": "And in winter?",
          "model": "openai/gpt-5-mini",
          "queued_at": "2026-11-23T09:30:40Z",
          "images": [
            {
              "type": "image",
              "media_type": "image/png",
              "data": "iVBORw=="
            }
          ],
          "options": {
            "temperature": 0.2
          },
          "files": [
            {
              "type": "file",
              "file_id": "01a207be-e628-7000-8000-000000000051",
              "name": "sales.csv",
              "media_type": "text/csv",
              "size": 1234
            }
          ]
        }
      ]
    }
  ],
  "cursor": ""
};

export const searchResult1: components["schemas"]["SearchResult"] = {
  "hits": [
    {
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "title": "Sales of the autumn",
      "updated_at": "2026-11-23T09:30:44Z",
      "snippet": [
        {
          "text": "Sales",
          "match": true
        },
        {
          "text": " grew by 12.5 %"
        }
      ],
      "message_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "starred": true
    }
  ]
};

export const exportedFile1: components["schemas"]["ExportedFile"] = {
  "name": "Sales-of-the-autumn.md",
  "media_type": "text/markdown",
  "content": "# Sales\n"
};

export const message1: components["schemas"]["Message"] = {
  "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
  "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
  "role": "assistant",
  "parts": [
    {
      "type": "text",
      "text": "Sales grew by **12.5 %** 📈."
    }
  ],
  "created_at": "2026-11-23T09:30:12.250000Z",
  "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
  "step": 2,
  "model": "openai/gpt-5-mini",
  "usage": {
    "input_tokens": 905,
    "output_tokens": 17
  },
  "finish_reason": "stop",
  "pinned": true
};

export const empty1: components["schemas"]["Empty"] = {};

export const fileUpload1: components["schemas"]["FileUpload"] = {
  "id": "01a207be-e628-7000-8000-000000000051",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "name": "sales.csv",
  "size": 1234,
  "created_at": "2026-11-23T09:30:00Z",
  "media_type": "text/csv",
  "state": "stored",
  "text": "ready",
  "note": "a table of 12 rows below its header and 2 columns",
  "attached": true
};

export const fileList1: components["schemas"]["FileList"] = {
  "files": [
    {
      "id": "01a207be-e628-7000-8000-000000000051",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "name": "sales.csv",
      "size": 1234,
      "created_at": "2026-11-23T09:30:00Z",
      "media_type": "text/csv",
      "state": "stored",
      "text": "ready",
      "note": "a table of 12 rows below its header and 2 columns",
      "attached": true
    }
  ]
};

export const turnTicket1: components["schemas"]["TurnTicket"] = {
  "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
  "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
  "seq": 4,
  "model": "openai/gpt-5-mini",
  "label": "",
  "queued": false
};

export const turn1: components["schemas"]["Turn"] = {
  "id": "01a207bd-d0d0-7000-8000-00000000000a",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "cell-000a",
  "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
  "model": "openai/gpt-5-mini",
  "started_at": "2026-11-23T09:30:06Z",
  "state": "finished",
  "step": 2,
  "usage": {
    "input_tokens": 1717,
    "output_tokens": 81,
    "cached_tokens": 512,
    "reasoning_tokens": 20
  },
  "ended_at": "2026-11-23T09:30:22Z",
  "options": {}
};

export const turn2: components["schemas"]["Turn"] = {
  "id": "01a207bd-f7e0-7000-8000-000000000014",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "cell-0014",
  "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
  "model": "openai/gpt-5-mini",
  "started_at": "2026-11-23T09:30:24Z",
  "state": "failed",
  "step": 1,
  "error": {
    "code": "rate_limited",
    "kind": "upstream",
    "text": "The provider asks to wait.",
    "hint": "Try again later.",
    "retry_after": 12.5
  },
  "ended_at": "2026-11-23T09:30:27Z",
  "fallback": "anthropic/claude-sonnet-5",
  "options": {}
};

export const turn3: components["schemas"]["Turn"] = {
  "id": "01a207be-1ef0-7000-8000-00000000001e",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "cell-001e",
  "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
  "model": "openai/gpt-5-mini",
  "started_at": "2026-11-23T09:30:29Z",
  "state": "cancelled",
  "step": 1,
  "cancelling": true,
  "usage": {},
  "ended_at": "2026-11-23T09:30:33Z",
  "options": {}
};

export const turn4: components["schemas"]["Turn"] = {
  "id": "01a207be-4600-7000-8000-000000000028",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "cell-0028",
  "message_id": "01a207be-4600-744f-94c1-80a5815a105a",
  "model": "openai/gpt-5-mini",
  "started_at": "2026-11-23T09:30:35Z",
  "state": "interrupted",
  "step": 1,
  "ended_at": "2026-11-23T09:30:40Z",
  "options": {},
  "first_message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133"
};

export const turn5: components["schemas"]["Turn"] = {
  "id": "01a207be-bb30-7000-8000-000000000046",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "request_id": "on-1",
  "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
  "model": "openai/gpt-5-mini",
  "started_at": "2026-11-23T09:30:42Z",
  "state": "failed",
  "step": 1,
  "error": {
    "code": "rate_limited",
    "kind": "upstream",
    "text": "The provider asks to wait.",
    "hint": "Try again later.",
    "retry_after": 12.5
  },
  "ended_at": "2026-11-23T09:30:44Z",
  "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
  "options": {}
};

export const page1: components["schemas"]["Page"] = {
  "url": "https://example.org/sales",
  "text": "# Sales\n\nThey grew.",
  "note": "It is longer: this is its beginning."
};

export const pendingApprovals1: components["schemas"]["PendingApprovals"] = {
  "executions": [
    {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "state": "waiting",
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11"
    }
  ]
};

export const toolExecution1: components["schemas"]["ToolExecution"] = {
  "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
  "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
  "step": 1,
  "position": 0,
  "call": {
    "id": "call_1",
    "name": "read_file",
    "arguments": "{\"path\": \"sales.csv\"}"
  },
  "state": "done",
  "decision": {
    "verdict": "approve",
    "arguments": "{\"path\": \"data/sales.csv\"}"
  },
  "result": {
    "content": "month,sales\n2026-09,120\n2026-10,135\n"
  }
};

export const toolExecution2: components["schemas"]["ToolExecution"] = {
  "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
  "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
  "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
  "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
  "step": 1,
  "position": 1,
  "call": {
    "id": "call_2",
    "name": "run_code",
    "arguments": "{\"code\": \"df.describe()\"}"
  },
  "state": "denied",
  "placement": "kernel",
  "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
  "decision": {
    "verdict": "reject",
    "reason": "Use the file only."
  },
  "result": {
    "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
    "is_error": true
  }
};

export const replay1: components["schemas"]["Replay"] = {
  "events": [
    {
      "type": "event",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "seq": 52,
      "at": "2026-11-23T09:30:52Z",
      "event": {
        "type": "conversation_trashed"
      }
    },
    {
      "type": "event",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "seq": 53,
      "at": "2026-11-23T09:30:53Z",
      "event": {
        "type": "conversation_restored"
      }
    }
  ],
  "seq": 53,
  "snapshot": null
};

export const replay2: components["schemas"]["Replay"] = {
  "events": [],
  "seq": 53,
  "snapshot": {
    "conversation": {
      "id": "01a207bd-a9c0-7000-8000-000000000000",
      "owner": "local",
      "seq": 53,
      "created_at": "2026-11-23T09:30:01Z",
      "updated_at": "2026-11-23T09:30:44Z",
      "title": "Sales of the autumn",
      "label": "reports/sales.ipynb",
      "version": 3,
      "settings": {
        "model": "openai/gpt-5-mini",
        "fallback_models": [
          "anthropic/claude-sonnet-5"
        ],
        "system_prompt": "Answer in one sentence.",
        "max_cost": "0.50"
      },
      "starred": true,
      "queue": [
        {
          "turn_id": "01a207be-9808-7000-8000-00000000003d",
          "request_id": "cell-61",
          "text": "And in winter?",
          "model": "openai/gpt-5-mini",
          "queued_at": "2026-11-23T09:30:40Z",
          "images": [
            {
              "type": "image",
              "media_type": "image/png",
              "data": "iVBORw=="
            }
          ],
          "options": {
            "temperature": 0.2
          },
          "files": [
            {
              "type": "file",
              "file_id": "01a207be-e628-7000-8000-000000000051",
              "name": "sales.csv",
              "media_type": "text/csv",
              "size": 1234
            }
          ]
        }
      ]
    },
    "messages": {
      "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
        "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
        "parent_id": null,
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "How did sales go?"
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
      },
      "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
        "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
        "role": "assistant",
        "parts": [
          {
            "type": "reasoning",
            "text": "The file has to be read first."
          },
          {
            "type": "text",
            "text": "I am reading the file — *at once*."
          },
          {
            "type": "tool_call",
            "call": {
              "id": "call_1",
              "name": "read_file",
              "arguments": "{\"path\": \"sales.csv\"}"
            },
            "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
          },
          {
            "type": "tool_call",
            "call": {
              "id": "call_2",
              "name": "run_code",
              "arguments": "{\"code\": \"df.describe()\"}"
            },
            "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
          }
        ],
        "created_at": "2026-11-23T09:30:02Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "step": 1,
        "model": "openai/gpt-5-mini",
        "usage": {
          "input_tokens": 812,
          "output_tokens": 64,
          "cached_tokens": 512,
          "reasoning_tokens": 20
        },
        "finish_reason": "tool_calls"
      },
      "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6": {
        "id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
        "parent_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "role": "tool",
        "parts": [
          {
            "type": "tool_result",
            "call_id": "call_1",
            "name": "read_file",
            "result": {
              "content": "month,sales\n2026-09,120\n2026-10,135\n"
            }
          },
          {
            "type": "tool_result",
            "call_id": "call_2",
            "name": "run_code",
            "result": {
              "content": "The user rejected this call. Use the file only.",
              "is_error": true
            }
          }
        ],
        "created_at": "2026-11-23T09:30:09Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "step": 1
      },
      "01a207bd-d0d0-7763-9af3-0b43cc24fe97": {
        "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
        "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
        "role": "assistant",
        "parts": [
          {
            "type": "text",
            "text": "Sales grew by **12.5 %** 📈."
          }
        ],
        "created_at": "2026-11-23T09:30:12.250000Z",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "step": 2,
        "model": "openai/gpt-5-mini",
        "usage": {
          "input_tokens": 905,
          "output_tokens": 17
        },
        "finish_reason": "stop",
        "pinned": true
      },
      "01a207bd-f7e0-736f-bb5f-a8066c349506": {
        "id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
        "parent_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "And next year?"
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207bd-f7e0-7000-8000-000000000014"
      },
      "01a207be-1ef0-725c-bad5-3381dfa9f133": {
        "id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "parent_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "Tell me a story."
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
      },
      "01a207be-1ef0-7e40-aab8-f708218cfc85": {
        "id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
        "parent_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "role": "assistant",
        "parts": [
          {
            "type": "text",
            "text": "Once upon"
          }
        ],
        "created_at": "2026-11-23T09:30:31Z",
        "turn_id": "01a207be-1ef0-7000-8000-00000000001e",
        "step": 1,
        "model": "openai/gpt-5-mini",
        "partial": true
      },
      "01a207be-4600-744f-94c1-80a5815a105a": {
        "id": "01a207be-4600-744f-94c1-80a5815a105a",
        "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
        "role": "user",
        "parts": [
          {
            "type": "text",
            "text": "Go on."
          }
        ],
        "created_at": "2026-11-23T09:30:00Z",
        "turn_id": "01a207be-4600-7000-8000-000000000028"
      }
    },
    "turns": {
      "01a207bd-d0d0-7000-8000-00000000000a": {
        "id": "01a207bd-d0d0-7000-8000-00000000000a",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-000a",
        "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:06Z",
        "state": "finished",
        "step": 2,
        "usage": {
          "input_tokens": 1717,
          "output_tokens": 81,
          "cached_tokens": 512,
          "reasoning_tokens": 20
        },
        "ended_at": "2026-11-23T09:30:22Z",
        "options": {}
      },
      "01a207bd-f7e0-7000-8000-000000000014": {
        "id": "01a207bd-f7e0-7000-8000-000000000014",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-0014",
        "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:24Z",
        "state": "failed",
        "step": 1,
        "error": {
          "code": "rate_limited",
          "kind": "upstream",
          "text": "The provider asks to wait.",
          "hint": "Try again later.",
          "retry_after": 12.5
        },
        "ended_at": "2026-11-23T09:30:27Z",
        "fallback": "anthropic/claude-sonnet-5",
        "options": {}
      },
      "01a207be-1ef0-7000-8000-00000000001e": {
        "id": "01a207be-1ef0-7000-8000-00000000001e",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-001e",
        "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:29Z",
        "state": "cancelled",
        "step": 1,
        "cancelling": true,
        "usage": {},
        "ended_at": "2026-11-23T09:30:33Z",
        "options": {}
      },
      "01a207be-4600-7000-8000-000000000028": {
        "id": "01a207be-4600-7000-8000-000000000028",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "cell-0028",
        "message_id": "01a207be-4600-744f-94c1-80a5815a105a",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:35Z",
        "state": "interrupted",
        "step": 1,
        "ended_at": "2026-11-23T09:30:40Z",
        "options": {},
        "first_message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133"
      },
      "01a207be-bb30-7000-8000-000000000046": {
        "id": "01a207be-bb30-7000-8000-000000000046",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "request_id": "on-1",
        "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
        "model": "openai/gpt-5-mini",
        "started_at": "2026-11-23T09:30:42Z",
        "state": "failed",
        "step": 1,
        "error": {
          "code": "rate_limited",
          "kind": "upstream",
          "text": "The provider asks to wait.",
          "hint": "Try again later.",
          "retry_after": 12.5
        },
        "ended_at": "2026-11-23T09:30:44Z",
        "parent_id": "01a207be-1ef0-7e40-aab8-f708218cfc85",
        "options": {}
      }
    },
    "executions": {
      "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
        "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "step": 1,
        "position": 0,
        "call": {
          "id": "call_1",
          "name": "read_file",
          "arguments": "{\"path\": \"sales.csv\"}"
        },
        "state": "done",
        "decision": {
          "verdict": "approve",
          "arguments": "{\"path\": \"data/sales.csv\"}"
        },
        "result": {
          "content": "month,sales\n2026-09,120\n2026-10,135\n"
        }
      },
      "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
        "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
        "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
        "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
        "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
        "step": 1,
        "position": 1,
        "call": {
          "id": "call_2",
          "name": "run_code",
          "arguments": "{\"code\": \"df.describe()\"}"
        },
        "state": "denied",
        "placement": "kernel",
        "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
        "decision": {
          "verdict": "reject",
          "reason": "Use the file only."
        },
        "result": {
          "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
          "is_error": true
        }
      }
    }
  }
};

export const streamed1: components["schemas"]["Streamed"] = {
  "frame": {
    "type": "caught_up",
    "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
    "seq": 53
  }
};

export const modelList1: components["schemas"]["ModelList"] = {
  "models": [
    {
      "ref": "openai/gpt-5-mini",
      "window": 400000,
      "output_limit": 128000,
      "tools": true
    },
    {
      "ref": "local/smollm2-135m",
      "label": "demo model",
      "ready": false,
      "todo": "Install it."
    },
    {
      "ref": "ollama/unheard-of",
      "known": false
    }
  ],
  "default": "openai/gpt-5-mini",
  "default_todo": "",
  "left_out": [
    {
      "provider": "groq",
      "reason": "Groq refused the key."
    }
  ]
};

export const modelFacts1: components["schemas"]["ModelFacts"] = {
  "ref": "anthropic/claude-haiku-4-5",
  "window": 200000,
  "output_limit": 64000,
  "tools": true,
  "images": true,
  "reasoning": true,
  "prefill": true,
  "cache": true,
  "prices": {
    "input": "1",
    "output": "5",
    "cache_read": "0.1",
    "cache_write": "1.25",
    "as_of": "2026-11-23",
    "up_to": 200000
  },
  "deprecated": "2027-10-15"
};

export const providerList1: components["schemas"]["ProviderList"] = {
  "providers": [
    {
      "name": "openai",
      "label": "OpenAI",
      "lane": "openai",
      "configured": true,
      "source": "environment",
      "variable": "OPENAI_API_KEY",
      "needs": [],
      "key_name": "OPENAI_API_KEY",
      "url_name": "OPENAI_BASE_URL",
      "redirected": false,
      "default": "openai/gpt-5-mini",
      "permitted": true,
      "docs": "https://platform.openai.com/docs/models",
      "here": false,
      "problem": "",
      "stored": null
    },
    {
      "name": "vllm",
      "label": "vLLM",
      "lane": "openai",
      "configured": false,
      "source": "",
      "variable": "",
      "needs": [
        "VLLM_BASE_URL"
      ],
      "key_name": "VLLM_API_KEY",
      "url_name": "VLLM_BASE_URL",
      "redirected": false,
      "default": null,
      "permitted": false,
      "docs": "https://docs.vllm.ai",
      "here": false,
      "problem": "",
      "stored": null
    }
  ]
};

export const storedProvider1: components["schemas"]["StoredProvider"] = {
  "provider": "openai",
  "has_key": true,
  "last_four": "wxyz",
  "key_command": false,
  "base_url": "http://gateway.example.org/v1",
  "default_model": "openai/gpt-5-mini",
  "version": 2,
  "updated_at": "2026-11-23T09:30:00Z",
  "notices": [
    "The key travels to gateway.example.org unencrypted."
  ]
};

export const verdict1: components["schemas"]["Verdict"] = {
  "code": "key_refused",
  "text": "OpenAI at gateway.example.org refuses the key.",
  "hint": "Enter another one.",
  "model": "openai/gpt-5-mini",
  "reached": true,
  "key_accepted": false,
  "model_exists": null
};

export const newToken1: components["schemas"]["NewToken"] = {
  "id": "01a207be-6d10-7000-8000-000000000032",
  "token": "bc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  "name": "Night build",
  "scopes": [
    "conversations:write",
    "turns"
  ],
  "created_at": "2026-11-23T09:30:00Z",
  "expires_at": "2027-02-21T09:30:00Z"
};

export const tokenList1: components["schemas"]["TokenList"] = {
  "tokens": [
    {
      "id": "01a207be-6d10-7000-8000-000000000032",
      "kind": "token",
      "name": "Night build",
      "scopes": [
        "conversations:write",
        "turns"
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "expires_at": "2027-02-21T09:30:00Z",
      "revoked_at": null,
      "kernel_id": null
    },
    {
      "id": "01a207be-6928-7000-8000-000000000031",
      "kind": "kernel",
      "name": "",
      "scopes": [
        "approvals",
        "conversations:read",
        "conversations:write",
        "models:read",
        "system:read",
        "turns",
        "usage:read"
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "expires_at": null,
      "revoked_at": null,
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11"
    }
  ],
  "cursor": ""
};

export const tokenInfo1: components["schemas"]["TokenInfo"] = {
  "id": "01a207be-6d10-7000-8000-000000000032",
  "kind": "token",
  "name": "Night build",
  "scopes": [
    "conversations:write",
    "turns"
  ],
  "created_at": "2026-11-23T09:30:00Z",
  "expires_at": "2027-02-21T09:30:00Z",
  "revoked_at": "2026-11-24T09:30:00Z",
  "kernel_id": null
};

export const usageSummary1: components["schemas"]["UsageSummary"] = {
  "by": "model",
  "since": "2026-11-01",
  "until": "2026-11-23",
  "rows": [
    {
      "key": "ollama/unheard-of",
      "spending": {
        "attempts": 2,
        "failed": 0,
        "cancelled": 0,
        "usage": {
          "input_tokens": 905,
          "output_tokens": 17
        },
        "cost": null,
        "unknown_attempts": 2,
        "estimated": 0,
        "estimated_tokens": 0,
        "estimated_cost": null
      }
    },
    {
      "key": "openai/gpt-5-mini",
      "spending": {
        "attempts": 3,
        "failed": 1,
        "cancelled": 1,
        "usage": {
          "input_tokens": 1717,
          "output_tokens": 90,
          "cached_tokens": 512,
          "reasoning_tokens": 20
        },
        "cost": "0.001234567",
        "unknown_attempts": 0,
        "estimated": 1,
        "estimated_tokens": 9,
        "estimated_cost": "0.00000225"
      }
    }
  ],
  "total": {
    "attempts": 5,
    "failed": 1,
    "cancelled": 1,
    "usage": {
      "input_tokens": 2622,
      "output_tokens": 107,
      "cached_tokens": 512,
      "reasoning_tokens": 20
    },
    "cost": "0.001234567",
    "unknown_attempts": 2,
    "estimated": 1,
    "estimated_tokens": 9,
    "estimated_cost": "0.00000225"
  },
  "cursor": ""
};

export const health1: components["schemas"]["Health"] = {
  "alive": true,
  "protocol": 1
};

export const health2: components["schemas"]["Health"] = {
  "alive": true,
  "protocol": 1,
  "version": "0.1.0",
  "storage": "ok",
  "error": {
    "code": "missing_key",
    "kind": "denied",
    "text": "There is no key for openai.",
    "hint": "Set OPENAI_API_KEY."
  },
  "running_turns": 1,
  "database": "db.example.org/bestchat",
  "notices": [
    "The database lies on a network file system (nfs)."
  ]
};

export const identity1: components["schemas"]["Identity"] = {
  "owner": "local",
  "kind": "user",
  "scopes": [
    "approvals",
    "conversations:delete",
    "conversations:read",
    "conversations:write",
    "models:read",
    "providers:write",
    "system:read",
    "tokens",
    "turns",
    "usage:read"
  ]
};

export const optionList1: components["schemas"]["OptionList"] = {
  "options": [
    {
      "name": "default_model",
      "value": "openai/gpt-5-mini",
      "origin": "BESTCHAT_DEFAULT_MODEL",
      "description": "Who answers."
    },
    {
      "name": "database_url",
      "value": "",
      "origin": "default",
      "description": "Where it is stored."
    }
  ]
};

export const errorBody1: components["schemas"]["ErrorBody"] = {
  "error": {
    "code": "rate_limited",
    "kind": "upstream",
    "text": "The provider asks to wait.",
    "hint": "Try again later.",
    "retry_after": 12.5
  }
};

export const conversationState2: components["schemas"]["ConversationState"] = {
  "conversation": {
    "id": "01a207bd-a9c0-7000-8000-000000000000",
    "owner": "local",
    "seq": 13,
    "created_at": "2026-11-23T09:30:01Z",
    "updated_at": "2026-11-23T09:30:13Z",
    "title": "Sales of the autumn",
    "label": "reports/sales.ipynb",
    "version": 2,
    "settings": {}
  },
  "messages": {
    "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
      "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "parent_id": null,
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "How did sales go?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
    },
    "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
      "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "role": "assistant",
      "parts": [
        {
          "type": "reasoning",
          "text": "The file has to be read first."
        },
        {
          "type": "text",
          "text": "I am reading the file — *at once*."
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_1",
            "name": "read_file",
            "arguments": "{\"path\": \"sales.csv\"}"
          },
          "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_2",
            "name": "run_code",
            "arguments": "{\"code\": \"df.describe()\"}"
          },
          "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
        }
      ],
      "created_at": "2026-11-23T09:30:02Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "finish_reason": "tool_calls"
    }
  },
  "turns": {
    "01a207bd-d0d0-7000-8000-00000000000a": {
      "id": "01a207bd-d0d0-7000-8000-00000000000a",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-000a",
      "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:06Z",
      "state": "waiting",
      "step": 1,
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "options": {}
    }
  },
  "executions": {
    "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
      "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 0,
      "call": {
        "id": "call_1",
        "name": "read_file",
        "arguments": "{\"path\": \"sales.csv\"}"
      },
      "state": "waiting"
    },
    "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "state": "waiting",
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11"
    }
  }
};

export const conversationState3: components["schemas"]["ConversationState"] = {
  "conversation": {
    "id": "01a207bd-a9c0-7000-8000-000000000000",
    "owner": "local",
    "seq": 17,
    "created_at": "2026-11-23T09:30:01Z",
    "updated_at": "2026-11-23T09:30:17Z",
    "title": "Sales of the autumn",
    "label": "reports/sales.ipynb",
    "version": 2,
    "settings": {}
  },
  "messages": {
    "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
      "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "parent_id": null,
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "How did sales go?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
    },
    "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
      "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "role": "assistant",
      "parts": [
        {
          "type": "reasoning",
          "text": "The file has to be read first."
        },
        {
          "type": "text",
          "text": "I am reading the file — *at once*."
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_1",
            "name": "read_file",
            "arguments": "{\"path\": \"sales.csv\"}"
          },
          "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_2",
            "name": "run_code",
            "arguments": "{\"code\": \"df.describe()\"}"
          },
          "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
        }
      ],
      "created_at": "2026-11-23T09:30:02Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "finish_reason": "tool_calls"
    }
  },
  "turns": {
    "01a207bd-d0d0-7000-8000-00000000000a": {
      "id": "01a207bd-d0d0-7000-8000-00000000000a",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-000a",
      "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:06Z",
      "state": "running",
      "step": 1,
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "options": {}
    }
  },
  "executions": {
    "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
      "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 0,
      "call": {
        "id": "call_1",
        "name": "read_file",
        "arguments": "{\"path\": \"sales.csv\"}"
      },
      "state": "running",
      "decision": {
        "verdict": "approve",
        "arguments": "{\"path\": \"data/sales.csv\"}"
      }
    },
    "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "state": "denied",
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
      "decision": {
        "verdict": "reject",
        "reason": "Use the file only."
      },
      "result": {
        "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
        "is_error": true
      }
    }
  }
};

export const conversationState4: components["schemas"]["ConversationState"] = {
  "conversation": {
    "id": "01a207bd-a9c0-7000-8000-000000000000",
    "owner": "local",
    "seq": 26,
    "created_at": "2026-11-23T09:30:01Z",
    "updated_at": "2026-11-23T09:30:26Z",
    "title": "Sales of the autumn",
    "label": "reports/sales.ipynb",
    "version": 2,
    "settings": {}
  },
  "messages": {
    "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
      "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "parent_id": null,
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "How did sales go?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
    },
    "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
      "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "role": "assistant",
      "parts": [
        {
          "type": "reasoning",
          "text": "The file has to be read first."
        },
        {
          "type": "text",
          "text": "I am reading the file — *at once*."
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_1",
            "name": "read_file",
            "arguments": "{\"path\": \"sales.csv\"}"
          },
          "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_2",
            "name": "run_code",
            "arguments": "{\"code\": \"df.describe()\"}"
          },
          "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
        }
      ],
      "created_at": "2026-11-23T09:30:02Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "finish_reason": "tool_calls"
    },
    "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6": {
      "id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "parent_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "role": "tool",
      "parts": [
        {
          "type": "tool_result",
          "call_id": "call_1",
          "name": "read_file",
          "result": {
            "content": "month,sales\n2026-09,120\n2026-10,135\n"
          }
        },
        {
          "type": "tool_result",
          "call_id": "call_2",
          "name": "run_code",
          "result": {
            "content": "The user rejected this call. Use the file only.",
            "is_error": true
          }
        }
      ],
      "created_at": "2026-11-23T09:30:09Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1
    },
    "01a207bd-d0d0-7763-9af3-0b43cc24fe97": {
      "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "role": "assistant",
      "parts": [
        {
          "type": "text",
          "text": "Sales grew by **12.5 %** 📈."
        }
      ],
      "created_at": "2026-11-23T09:30:12.250000Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 2,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 905,
        "output_tokens": 17
      },
      "finish_reason": "stop"
    },
    "01a207bd-f7e0-736f-bb5f-a8066c349506": {
      "id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "parent_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "And next year?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-f7e0-7000-8000-000000000014"
    }
  },
  "turns": {
    "01a207bd-d0d0-7000-8000-00000000000a": {
      "id": "01a207bd-d0d0-7000-8000-00000000000a",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-000a",
      "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:06Z",
      "state": "finished",
      "step": 2,
      "usage": {
        "input_tokens": 1717,
        "output_tokens": 81,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "ended_at": "2026-11-23T09:30:22Z",
      "options": {}
    },
    "01a207bd-f7e0-7000-8000-000000000014": {
      "id": "01a207bd-f7e0-7000-8000-000000000014",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-0014",
      "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:24Z",
      "state": "running",
      "step": 1,
      "fallback": "anthropic/claude-sonnet-5",
      "options": {}
    }
  },
  "executions": {
    "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
      "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 0,
      "call": {
        "id": "call_1",
        "name": "read_file",
        "arguments": "{\"path\": \"sales.csv\"}"
      },
      "state": "done",
      "decision": {
        "verdict": "approve",
        "arguments": "{\"path\": \"data/sales.csv\"}"
      },
      "result": {
        "content": "month,sales\n2026-09,120\n2026-10,135\n"
      }
    },
    "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "state": "denied",
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
      "decision": {
        "verdict": "reject",
        "reason": "Use the file only."
      },
      "result": {
        "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
        "is_error": true
      }
    }
  }
};

export const conversationState5: components["schemas"]["ConversationState"] = {
  "conversation": {
    "id": "01a207bd-a9c0-7000-8000-000000000000",
    "owner": "local",
    "seq": 31,
    "created_at": "2026-11-23T09:30:01Z",
    "updated_at": "2026-11-23T09:30:31Z",
    "title": "Sales of the autumn",
    "label": "reports/sales.ipynb",
    "version": 2,
    "settings": {}
  },
  "messages": {
    "01a207bd-d0d0-75b1-8415-c5c0bc256bf6": {
      "id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "parent_id": null,
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "How did sales go?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a"
    },
    "01a207bd-d0d0-7eb1-9e27-eac1af0220d1": {
      "id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "parent_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "role": "assistant",
      "parts": [
        {
          "type": "reasoning",
          "text": "The file has to be read first."
        },
        {
          "type": "text",
          "text": "I am reading the file — *at once*."
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_1",
            "name": "read_file",
            "arguments": "{\"path\": \"sales.csv\"}"
          },
          "execution_id": "01a207bd-d0d0-7ac8-97a3-e5838960c898"
        },
        {
          "type": "tool_call",
          "call": {
            "id": "call_2",
            "name": "run_code",
            "arguments": "{\"code\": \"df.describe()\"}"
          },
          "execution_id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139"
        }
      ],
      "created_at": "2026-11-23T09:30:02Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 812,
        "output_tokens": 64,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "finish_reason": "tool_calls"
    },
    "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6": {
      "id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "parent_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "role": "tool",
      "parts": [
        {
          "type": "tool_result",
          "call_id": "call_1",
          "name": "read_file",
          "result": {
            "content": "month,sales\n2026-09,120\n2026-10,135\n"
          }
        },
        {
          "type": "tool_result",
          "call_id": "call_2",
          "name": "run_code",
          "result": {
            "content": "The user rejected this call. Use the file only.",
            "is_error": true
          }
        }
      ],
      "created_at": "2026-11-23T09:30:09Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 1
    },
    "01a207bd-d0d0-7763-9af3-0b43cc24fe97": {
      "id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "parent_id": "01a207bd-d0d0-7c0e-a6b5-ee688fbe98d6",
      "role": "assistant",
      "parts": [
        {
          "type": "text",
          "text": "Sales grew by **12.5 %** 📈."
        }
      ],
      "created_at": "2026-11-23T09:30:12.250000Z",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "step": 2,
      "model": "openai/gpt-5-mini",
      "usage": {
        "input_tokens": 905,
        "output_tokens": 17
      },
      "finish_reason": "stop"
    },
    "01a207bd-f7e0-736f-bb5f-a8066c349506": {
      "id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "parent_id": "01a207bd-d0d0-7763-9af3-0b43cc24fe97",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "And next year?"
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207bd-f7e0-7000-8000-000000000014"
    },
    "01a207be-1ef0-725c-bad5-3381dfa9f133": {
      "id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "parent_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "role": "user",
      "parts": [
        {
          "type": "text",
          "text": "Tell me a story."
        }
      ],
      "created_at": "2026-11-23T09:30:00Z",
      "turn_id": "01a207be-1ef0-7000-8000-00000000001e"
    }
  },
  "turns": {
    "01a207bd-d0d0-7000-8000-00000000000a": {
      "id": "01a207bd-d0d0-7000-8000-00000000000a",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-000a",
      "message_id": "01a207bd-d0d0-75b1-8415-c5c0bc256bf6",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:06Z",
      "state": "finished",
      "step": 2,
      "usage": {
        "input_tokens": 1717,
        "output_tokens": 81,
        "cached_tokens": 512,
        "reasoning_tokens": 20
      },
      "ended_at": "2026-11-23T09:30:22Z",
      "options": {}
    },
    "01a207bd-f7e0-7000-8000-000000000014": {
      "id": "01a207bd-f7e0-7000-8000-000000000014",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-0014",
      "message_id": "01a207bd-f7e0-736f-bb5f-a8066c349506",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:24Z",
      "state": "failed",
      "step": 1,
      "error": {
        "code": "rate_limited",
        "kind": "upstream",
        "text": "The provider asks to wait.",
        "hint": "Try again later.",
        "retry_after": 12.5
      },
      "ended_at": "2026-11-23T09:30:27Z",
      "fallback": "anthropic/claude-sonnet-5",
      "options": {}
    },
    "01a207be-1ef0-7000-8000-00000000001e": {
      "id": "01a207be-1ef0-7000-8000-00000000001e",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "request_id": "cell-001e",
      "message_id": "01a207be-1ef0-725c-bad5-3381dfa9f133",
      "model": "openai/gpt-5-mini",
      "started_at": "2026-11-23T09:30:29Z",
      "state": "running",
      "step": 1,
      "cancelling": true,
      "options": {}
    }
  },
  "executions": {
    "01a207bd-d0d0-7ac8-97a3-e5838960c898": {
      "id": "01a207bd-d0d0-7ac8-97a3-e5838960c898",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 0,
      "call": {
        "id": "call_1",
        "name": "read_file",
        "arguments": "{\"path\": \"sales.csv\"}"
      },
      "state": "done",
      "decision": {
        "verdict": "approve",
        "arguments": "{\"path\": \"data/sales.csv\"}"
      },
      "result": {
        "content": "month,sales\n2026-09,120\n2026-10,135\n"
      }
    },
    "01a207bd-d0d0-7d46-b17b-9c2ba9172139": {
      "id": "01a207bd-d0d0-7d46-b17b-9c2ba9172139",
      "conversation_id": "01a207bd-a9c0-7000-8000-000000000000",
      "turn_id": "01a207bd-d0d0-7000-8000-00000000000a",
      "message_id": "01a207bd-d0d0-7eb1-9e27-eac1af0220d1",
      "step": 1,
      "position": 1,
      "call": {
        "id": "call_2",
        "name": "run_code",
        "arguments": "{\"code\": \"df.describe()\"}"
      },
      "state": "denied",
      "placement": "kernel",
      "kernel_id": "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11",
      "decision": {
        "verdict": "reject",
        "reason": "Use the file only."
      },
      "result": {
        "content": "The user rejected this call. Use the file only. Do not try it again unless the user asks for it.",
        "is_error": true
      }
    }
  }
};

export const serverFrames: components["schemas"]["ServerFrame"][] = [
  welcome1,
  snapshot1,
  conversationCreated1,
  conversationRenamed1,
  conversationRenamed2,
  conversationRenamed3,
  messageAdded1,
  turnStarted1,
  stepStarted1,
  messageAdded2,
  toolProposed1,
  toolProposed2,
  approvalRequested1,
  approvalRequested2,
  turnWaiting1,
  approvalAnswered1,
  approvalAnswered2,
  turnResumed1,
  toolStarted1,
  toolFinished1,
  messageAdded3,
  stepStarted2,
  messageAdded4,
  turnFinished1,
  messageAdded5,
  turnStarted2,
  stepStarted3,
  attemptFailed1,
  turnFailed1,
  messageAdded6,
  turnStarted3,
  stepStarted4,
  cancelRequested1,
  messageAdded7,
  turnCancelled1,
  messageAdded8,
  turnStarted4,
  stepStarted5,
  messageQueued1,
  messageQueued2,
  requestReduced1,
  turnInterrupted1,
  messageUnqueued1,
  turnStarted5,
  stepStarted6,
  turnFailed2,
  conversationConfigured1,
  conversationStarred1,
  conversationArchived1,
  conversationArchived2,
  messagePinned1,
  messagePinned2,
  messagePinned3,
  conversationTrashed1,
  conversationRestored1,
  conversationDeleted1,
  delta1,
  caughtUp1,
  heartbeat1,
  problem1,
];

export const secrets: [string, string][] = [
  [
    "key sk\u002dproj\u002dabcDEF0123456789abcDEF end",
    "key [redacted] end"
  ],
  [
    "ghp\u005f0123456789abcdef\u0041BCDEF0123456789abcd",
    "[redacted]"
  ],
  [
    "['\u0041KI\u0041IOSFODNN7EX\u0041MPLE', 2]",
    "['[redacted]', 2]"
  ],
  [
    "ey\u004ahbGciOi\u004aIUzI1Ni\u004a9.ey\u004azdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4\u004a3jVmNHl0w5N",
    "[redacted]"
  ],
  [
    "a\n\u002d\u002d\u002d\u002d\u002dBEGIN RS\u0041 PRIV\u0041TE KEY\u002d\u002d\u002d\u002d\u002d\nMIIEow\nIB\u0041\u0041K\n\u002d\u002d\u002d\u002d\u002dEND RS\u0041 PRIV\u0041TE KEY\u002d\u002d\u002d\u002d\u002d\nb",
    "a\n[redacted]\nb"
  ],
  [
    "\u002d\u002d\u002d\u002d\u002dBEGIN RS\u0041 PRIV\u0041TE KEY\u002d\u002d\u002d\u002d\u002d\nMIIEow\nIB\u0041\u0041K\n\u002d\u002d\u002d\u002d\u002d",
    "[redacted]"
  ],
  [
    "\u002d\u002d\u002d\u002d\u002dBEGIN PGP PRIV\u0041TE KEY BLOCK\u002d\u002d\u002d\u002d\u002d\nlQOY\n\u002d\u002d\u002d\u002d\u002dEND PGP PRIV\u0041TE KEY BLOCK\u002d\u002d\u002d\u002d\u002d\nb",
    "[redacted]\nb"
  ],
  [
    "\u0041uthorization: Bearer abcdef0123456789",
    "\u0041uthorization: Bearer [redacted]"
  ],
  [
    "\u0041uthorization: Basic QWxhZGRpbjpv",
    "\u0041uthorization: Basic [redacted]"
  ],
  [
    "X\u002d\u0041pi\u002dKey: correct\u002dhorse",
    "X\u002d\u0041pi\u002dKey: [redacted]"
  ],
  [
    "curl \u002dH \"X\u002d\u0041pi\u002dKey: abc123def\" x",
    "curl \u002dH \"X\u002d\u0041pi\u002dKey: [redacted]\" x"
  ],
  [
    "postgresql://ada:hunter2@db/x",
    "postgresql://ada:[redacted]@db/x"
  ],
  [
    "postgresql://ada:p@ss@db/x",
    "postgresql://ada:[redacted]@db/x"
  ],
  [
    "redis://:hunter2@cache",
    "redis://:[redacted]@cache"
  ],
  [
    "http://localhost:8888/lab?token=0123456789abcdef0123456789abcdef",
    "http://localhost:8888/lab?token=[redacted]"
  ],
  [
    "{'password': 'hunter2', 'n': 1}",
    "{'password': '[redacted]', 'n': 1}"
  ],
  [
    "{\"api\u005fkey\": \"x y\"}",
    "{\"api\u005fkey\": \"[redacted]\"}"
  ],
  [
    "User(name='ada', db\u005fpassword='x\\'y')",
    "User(name='ada', db\u005fpassword='[redacted]')"
  ],
  [
    "password: str = \"hunter\"",
    "password: str = \"[redacted]\""
  ],
  [
    "config['password'] = 'hunter'",
    "config['password'] = '[redacted]'"
  ],
  [
    "os.environ[\"\u0041PI\u005fKEY\"] = \"hunter\"",
    "os.environ[\"\u0041PI\u005fKEY\"] = \"[redacted]\""
  ],
  [
    "if password == \"hunter\":",
    "if password == \"[redacted]\":"
  ],
  [
    "body = \"{\\\"password\\\": \\\"hunter\\\"}\"",
    "body = \"{\\\"password\\\": \\\"[redacted]\\\"}\""
  ],
  [
    "password = \"\"\"hunter\"\"\"",
    "password = \"\"\"[redacted]\"\"\""
  ],
  [
    "accessToken: 'hunter'",
    "accessToken: '[redacted]'"
  ],
  [
    "{userPassword: 'hunter'}",
    "{userPassword: '[redacted]'}"
  ],
  [
    "{\"token\": \"0123456789abcdef0123456789abcdef\"}",
    "{\"token\": \"[redacted]\"}"
  ],
  [
    "token = 'tok\u002dhunter2secret'",
    "token = '[redacted]'"
  ],
  [
    "{'password': ['a', 'b'], 'n': 1}",
    "{'password': [[redacted]], 'n': 1}"
  ],
  [
    "{'password': {0: 'a]', 1: 'b'}, 'n': 1}",
    "{'password': {[redacted]}, 'n': 1}"
  ],
  [
    "SECRET\u005fKEY=abcd1234\nDEBUG=1",
    "SECRET\u005fKEY=[redacted]\nDEBUG=1"
  ],
  [
    "export HF\u005fTOKEN=abcd1234",
    "export HF\u005fTOKEN=[redacted]"
  ],
  [
    "DEBUG=1\ndb\u005fpassword=correcthorse",
    "DEBUG=1\ndb\u005fpassword=[redacted]"
  ],
  [
    "TOKEN=correcthorse",
    "TOKEN=[redacted]"
  ],
  [
    "token: 0123456789abcdef0123456789abcdef",
    "token: [redacted]"
  ],
  [
    "aws\u005fsecret\u005faccess\u005fkey = w\u004aalrXUtnFEMI/K7MDENG/bPxRfiCYEX\u0041MPLEKEY",
    "aws\u005fsecret\u005faccess\u005fkey = [redacted]"
  ],
  [
    "db:\n  password: hunter2secret\n",
    "db:\n  password: [redacted]\n"
  ],
  [
    "db:\n  password: correcthorse  # old\n",
    "db:\n  password: [redacted]  # old\n"
  ],
  [
    "host=db password=hunter dbname=x",
    "host=db password=[redacted] dbname=x"
  ],
  [
    "'host=db password=hunter'",
    "'host=db password=[redacted]'"
  ],
  [
    "Server=db;User Id=sa;Password=hunter;",
    "Server=db;User Id=sa;Password=[redacted];"
  ]
];

export const noSecrets: string[] = [
  "max\u005ftokens=500, tokens: ['a', 'b']",
  "{'token': 'Hello', 'tokens': 'many'}",
  "token: count",
  "the token = a piece of a word",
  "{'token': 'understanding', 'score': 0.3}",
  "pad\u005ftoken='[P\u0041D]', eos\u005ftoken='<|reserved\u005fspecial\u005ftoken\u005f0|>'",
  "token = self.tokenizer.convert\u005fids\u005fto\u005ftokens(ids)",
  "the password is asked for: see below",
  "the password is checked",
  "password: required",
  "    password: str\n    token: str\n",
  "def login(password: str, token=None):",
  "login(user=user, password=password)",
  "password = getpass.getpass('Password: ')",
  "print(\"Password:\", user, \"is known\")",
  "api\u005fkey=os.environ['OPEN\u0041I\u005f\u0041PI\u005fKEY'],",
  "api\u005fkey = settings.api\u005fkey",
  "password=${DB\u005fP\u0041SSWORD}",
  "f'postgresql://{user}:{password}@{host}/x'",
  "{\"password\": {\"type\": \"string\", \"minLength\": 8}}",
  "passwords = load(path)",
  "PWD=/home/ada",
  "https://example.com/a:b?c=d@e",
  "task\u002dlist, risk\u002dtaking, sk\u002dlearn",
  "df['secretary'] = '\u0041da'",
  "basic knowledge",
  "a basic understanding",
  "2026\u002d11\u002d26 05:00:00"
];
