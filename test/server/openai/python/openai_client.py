"""OpenAI's own client for Python, pointed at the server that the first argument names.

Arguments: origin, model of chats, model with tools, model of embeddings ("-" for none), "scripted" where answers are known.
Prints the names of the checks that passed.
"""

import asyncio
import sys

import openai
from pydantic import BaseModel

origin, model, tool_model, embedder, kind = sys.argv[1:6]
scripted = kind == "scripted"
client = openai.OpenAI(base_url=f"{origin}/v1", api_key="unused", max_retries=0)
user = [{"role": "user", "content": "Which city?"}]
weather = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class City(BaseModel):
    city: str


def chat():
    reply = client.chat.completions.with_raw_response.create(model=model, messages=user, max_tokens=20)
    assert int(reply.headers["x-optimizer-num-ctx"]) > 0
    completion = reply.parse()
    assert completion.choices[0].message.role == "assistant"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def stream():
    chunks = list(
        client.chat.completions.create(
            model=model, messages=user, max_tokens=20, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


def stream_helper():
    with client.chat.completions.stream(model=model, messages=user, max_tokens=20) as events:
        text = "".join(event.delta for event in events if event.type == "content.delta")
    assert events.current_completion_snapshot.choices[0].message.content == text


def tools():
    city = [{"role": "user", "content": "What is the weather in Paris?"}]
    forced = {"type": "function", "function": {"name": "weather"}}
    completion = client.chat.completions.create(
        model=tool_model, messages=city, tools=[weather], tool_choice="auto" if scripted else forced, max_tokens=200
    )
    assert completion.choices[0].finish_reason == "tool_calls", completion
    call = completion.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    answered = client.chat.completions.create(
        model=tool_model,
        messages=[*city, completion.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}],
        tools=[weather],
        max_tokens=20,
    )
    assert answered.choices[0].finish_reason is not None


def parse():
    completion = client.chat.completions.parse(model=model, messages=user, response_format=City, max_tokens=200)
    if completion.choices[0].finish_reason == "stop":
        assert isinstance(completion.choices[0].message.parsed, City)


def responses():
    assert client.responses.create(model=model, input="Hi", max_output_tokens=20).output_text is not None
    with client.responses.stream(model=model, input="Hi", max_output_tokens=20) as events:
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text != ""
    assert client.responses.parse(model=model, input="Which city?", text_format=City).output_parsed is not None


def embeddings():
    if embedder == "-":
        return
    packed = client.embeddings.create(model=embedder, input=["one", "two"])
    plain = client.embeddings.create(model=embedder, input=["one", "two"], encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert max(abs(a - b) for a, b in zip(one.embedding, other.embedding, strict=True)) < 1e-6


def models():
    name = next(entry.id for entry in client.models.list() if entry.id.startswith(model))
    assert client.models.retrieve(name).id == name


def completion():
    assert client.completions.create(model=model, prompt="Hi", max_tokens=20).choices[0].finish_reason is not None


def errors():
    try:
        client.chat.completions.create(model="absent", messages=user)
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
    else:
        raise AssertionError("no error")
    try:
        client.chat.completions.create(model=model, messages=user, temperature=5)
    except openai.BadRequestError as error:
        assert error.param == "temperature"
    else:
        raise AssertionError("no error")


def asynchronous():
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{origin}/v1", api_key="unused") as parallel:
            replies = [parallel.chat.completions.create(model=model, messages=user, max_tokens=5) for _ in range(4)]
            return await asyncio.gather(*replies)

    assert len(asyncio.run(ask())) == 4


for check in [
    chat,
    stream,
    stream_helper,
    tools,
    parse,
    responses,
    embeddings,
    models,
    completion,
    errors,
    asynchronous,
]:
    check()
    print(check.__name__, flush=True)
