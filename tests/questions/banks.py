"""The shape of a lab's bank of answers: what bank00.py to bank12.py put together and tally.py reads."""


def bank_of(prelude, bodies, named, breaks):
    """{question: {"wrong", "right": {label: source}, "named", "breaks"}} of bodies, {question: (arguments, wrong,
    right)}, whose wrong and right are {label: body of the function}.
    """

    def sources(question, arguments, answers):
        return {label: f"{prelude}def {question}({arguments}):\n    {body}\n" for label, body in answers.items()}

    return {
        question: {
            "wrong": sources(question, arguments, wrong),
            "right": sources(question, arguments, right),
            "named": named[question],
            "breaks": breaks[question],
        }
        for question, (arguments, wrong, right) in bodies.items()
    }
