"""The sampling playground: one prompt, several models side by side, and the dials of sampling (temperature, top-p,
seed).

`samples` and `grow` compute, `table` and `render` draw, and `Playground` is the thin layer of ipywidgets on top. The
same settings give the same text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from itertools import zip_longest

from course_lib.stages.generate import generate_ids
from course_lib.widgets.front import box, in_pieces, paced, printable, show_widget
from course_lib.widgets.stream import growing, prompt_ids, stop_of


@dataclass(frozen=True)
class Settings:
    prompt: str
    chat: bool = False  # True: the prompt is a user's turn. False: it is the start of a document
    temperature: float = 0.8  # 0: always the likeliest token
    top_p: float = 0.95  # the smallest set of tokens that holds this probability; 1: all of them
    seed: int = 0
    max_new_tokens: int = 60


def samples(
    models: dict, tokenizer, settings: Settings, temperatures: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5)
) -> dict[float, dict[str, str]]:
    """{temperature: {model: text}}, all with the same seed: what changes is the dial."""
    ids, stop = [prompt_ids(tokenizer, settings.prompt, settings.chat)], stop_of(settings.chat)

    def sample(model, temperature: float) -> str:
        length, top_p, seed = settings.max_new_tokens, settings.top_p, settings.seed
        return tokenizer.decode(generate_ids(model, ids, length, temperature, top_p, seed, stop)[0])

    return {t: {name: sample(model, t) for name, model in models.items()} for t in temperatures}


def grow(models: dict, tokenizer, settings: Settings) -> Iterator[dict[str, str]]:
    """{model: its text so far}, all models a token at a time."""
    ids, s = [prompt_ids(tokenizer, settings.prompt, settings.chat)], settings
    running = [
        growing(model, tokenizer, ids, s.max_new_tokens, s.temperature, s.top_p, s.seed, stop_of(s.chat))
        for model in models.values()
    ]
    texts = dict.fromkeys(models, "")
    for step in zip_longest(*running):
        texts |= {name: new[0] for name, new in zip(models, step) if new is not None}
        yield dict(texts)


def in_words(settings: Settings) -> str:
    return (
        f"temperature {settings.temperature:g}, top-p {settings.top_p:g}, seed {settings.seed}, at most "
        f"{settings.max_new_tokens} tokens"
    )


def start(settings: Settings) -> str:
    """The prompt before a text: what the model was given is bold, in a document and in a chat."""
    return f"<b>{escape(settings.prompt)}</b>{'<br>' if settings.chat else ''}"


def table(settings: Settings, made: dict[float, dict[str, str]]) -> str:
    """A row for each temperature, a column for each model."""
    names = list(next(iter(made.values()), {}))
    head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in names)
    said = lambda text: start(settings) + (printable(text) or "(ends at once)")
    style = "text-align:left;vertical-align:top;white-space:pre-wrap"
    rows = ""
    for t, texts in made.items():
        cells = "".join(f'<td style="{style}">{said(texts[name])}</td>' for name in names)
        rows += f'<tr><th scope="row" style="vertical-align:top">{t:g}</th>{cells}</tr>'
    return box(
        f'<table style="table-layout:fixed;width:100%"><caption style="text-align:left">top-p {settings.top_p:g}, seed '
        f'{settings.seed}</caption><tr><th scope="col" style="width:6.5em">temperature</th>{head}</tr>{rows}</table>'
    )


def render(settings: Settings, texts: dict[str, str], running: bool = False, problem: str = "") -> str:
    """The models' texts side by side."""
    more = " …" if running else ""
    columns = "".join(
        '<div style="flex:1 1 240px;border:1px solid currentColor;border-radius:6px;padding:8px '
        f'12px;white-space:pre-wrap"><div><i>{escape(name)}</i></div>{start(settings)}{printable(text)}{more}</div>'
        for name, text in texts.items()
    )
    trouble = f'<div role="alert"><b>Stopped:</b> {escape(problem)}</div>' if problem else ""
    return box(
        f'<div>{in_words(settings)}</div><div style="display:flex;flex-wrap:wrap;gap:12px">{columns}</div>{trouble}',
        "status",
        "samples",
    )


class Playground:
    """The widget: dials, a button, and the models' texts side by side, which grow as they are written. A click while
    they grow starts anew.
    """

    def __init__(self, models: dict, tokenizer, settings: Settings):
        import ipywidgets

        self.models, self.tokenizer, self.settings, self.clicks, self.texts = models, tokenizer, settings, 0, {}
        narrow, style = (
            ipywidgets.Layout(width="220px"),
            {"description_width": "110px"},
        )  # fields, no sliders: those of ipywidgets have no name for a screen reader
        self.prompt = ipywidgets.Text(
            value=settings.prompt,
            description="Prompt:",
            layout=ipywidgets.Layout(width="640px"),
            style=style,
            continuous_update=False,
        )
        self.chat = ipywidgets.ToggleButtons(
            options=[("start of a text", False), ("question", True)],
            value=settings.chat,
            description="It is a:",
            style={**style, "button_width": "auto"},
        )
        self.temperature = ipywidgets.BoundedFloatText(
            value=settings.temperature, min=0, max=5, step=0.1, description="Temperature:", layout=narrow, style=style
        )
        self.top_p = ipywidgets.BoundedFloatText(
            value=settings.top_p, min=0, max=1, step=0.05, description="Top-p:", layout=narrow, style=style
        )
        self.seed = ipywidgets.BoundedIntText(
            value=settings.seed, min=0, max=10**6, description="Seed:", layout=narrow, style=style
        )
        self.longest = ipywidgets.BoundedIntText(
            value=settings.max_new_tokens, min=1, max=200, description="Most tokens:", layout=narrow, style=style
        )
        self.button = ipywidgets.Button(
            description="sample", button_style="primary", tooltip="write with these settings"
        )
        self.button.on_click(lambda _: self.sample())
        self.html = ipywidgets.HTML(value=render(settings, dict.fromkeys(models, "")))
        self.box = ipywidgets.VBox(
            [
                self.prompt,
                self.chat,
                ipywidgets.HBox([self.temperature, self.top_p]),
                ipywidgets.HBox([self.seed, self.longest]),
                self.button,
                self.html,
            ]
        )

    def sample(self) -> None:
        self.clicks += 1
        self.settings = replace(
            self.settings,
            prompt=self.prompt.value,
            chat=self.chat.value,
            temperature=self.temperature.value,
            top_p=self.top_p.value,
            seed=self.seed.value,
            max_new_tokens=self.longest.value,
        )
        self.texts = dict.fromkeys(self.models, "")
        self.html.value = render(self.settings, self.texts, running=True)
        in_pieces(self.work(self.clicks))

    def work(self, click: int) -> Iterator[None]:
        problem = ""
        try:
            for texts, due in paced(grow(self.models, self.tokenizer, self.settings)):
                if click != self.clicks:
                    return
                self.texts = texts
                if due:
                    self.html.value = render(self.settings, texts, running=True)
                yield
        except (
            Exception
        ) as error:  # nobody sees what a callback raises: a prompt too long for the model, a model that is not one
            problem = f"{type(error).__name__}: {error}"
        self.html.value = render(self.settings, self.texts, problem=problem)


def play(models: dict, tokenizer, prompt: str, chat: bool = False, **settings) -> Playground | None:
    """Show a playground for {name: model} and return it; a static table of samples at four temperatures goes with it.
    None without a front end or without ipywidgets.
    """
    chosen = Settings(prompt, chat, **settings)
    return show_widget(
        lambda: Playground(models, tokenizer, chosen),
        table(chosen, samples(models, tokenizer, chosen)),
        "read the table of samples.",
    )
