"""Ollama's own client for Python, pointed at the server that the first argument names.

Arguments: origin, model of chats, model of embeddings ("-" for none). Prints the names of the checks that passed.
"""

import sys

import ollama

origin, model, embedder = sys.argv[1:4]
client = ollama.Client(host=origin)
user = [{"role": "user", "content": "Which city?"}]
short = {"num_predict": 20}


def chat():
    reply = client.chat(model=model, messages=user, options=short)
    assert reply.done and reply.message.role == "assistant"


def stream():
    chunks = list(client.chat(model=model, messages=user, options=short, stream=True))
    assert chunks[-1].done and chunks[-1].eval_count > 0


def generate():
    assert client.generate(model=model, prompt="Hi", options=short).done


def embed():
    if embedder != "-":
        assert len(client.embed(model=embedder, input=["one", "two"]).embeddings) == 2


def lists():
    assert any(entry.model.startswith(model) for entry in client.list().models)
    assert any(entry.context_length > 0 for entry in client.ps().models)
    assert client.show(model).capabilities


def errors():
    for ask, status in [
        (lambda: client.chat(model="absent", messages=user), 404),
        (lambda: client.delete(model), 403),
    ]:
        try:
            ask()
        except ollama.ResponseError as error:
            assert error.status_code == status, error
        else:
            raise AssertionError("no error")


for check in [chat, stream, generate, embed, lists, errors]:
    check()
    print(check.__name__, flush=True)
