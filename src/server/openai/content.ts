/** The content of a message, text or parts, as Ollama takes it: one text and a list of images. */
import { type Fields, missing } from "./fields.js";
import { emptyArray, invalidValue, unsupportedValue } from "./refused.js";

export interface Content {
  readonly content: string;
  /** Base64, as Ollama wants it: without the head of a data URL. */
  readonly images?: readonly string[];
}

/**
 * Parts of one message stay one message: Ollama's own `/v1` makes several of them, which a template renders as
 * several turns. Texts are put on lines of their own, as llama.cpp does.
 */
export function contentOf(message: Fields, name = "content"): Content {
  const value = message.get(name) ?? "";
  if (typeof value === "string") return { content: value };
  if (!Array.isArray(value)) throw message.wrongType(name, "one of a string or an array of objects");
  const texts: string[] = [];
  const images: string[] = [];
  for (const part of message.objects(name)!) {
    const type = part.requiredText("type");
    switch (type) {
      case "text":
      case "input_text":
      case "output_text":
        texts.push(part.requiredText("text"));
        break;
      case "refusal":
        texts.push(part.requiredText("refusal"));
        break;
      case "image_url":
        images.push(imageOf(imageUrl(part), part.at("image_url")));
        break;
      case "input_image":
        images.push(imageOf(part.requiredText("image_url"), part.at("image_url")));
        break;
      case "input_audio":
        // Models that hear take sound where others take images (Ollama `openai/openai.go`).
        images.push(part.requiredObject("input_audio").requiredText("data"));
        break;
      default:
        throw unsupportedValue(
          part.at("type"),
          `Content of type '${type}' cannot be given to a local model.`,
        );
    }
  }
  return { content: texts.join("\n"), ...(images.length > 0 && { images }) };
}

/** Of a message that has to say something: only an assistant's may consist of calls. */
export function requiredContentOf(message: Fields): Content {
  const value = message.get("content");
  if (value === undefined) throw missing(message.at("content"));
  if (Array.isArray(value) && value.length === 0) throw emptyArray(message.at("content"));
  return contentOf(message);
}

function imageUrl(part: Fields): string {
  const value = part.get("image_url");
  return typeof value === "string" ? value : part.requiredObject("image_url").requiredText("url");
}

/** Nothing is fetched: an address would let a caller reach what only this machine reaches. */
function imageOf(url: string, path: string): string {
  const data = /^data:(?:image\/[\w.+-]+)?(?:;[\w=-]+)*?;base64,([A-Za-z0-9+/]+={0,2})$/.exec(url)?.[1];
  if (data) return data;
  if (/^https?:/i.test(url)) {
    throw unsupportedValue(path, "Addresses of images are not fetched; send the image as a base64 data URL.");
  }
  throw invalidValue(path, "expected a base64 data URL such as 'data:image/png;base64,...'.");
}
