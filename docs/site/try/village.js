// The village's own verdict on an answer. The rules are those of course_lib/world (tasks.py, harms.py, annotators.py);
// facts and words come from them in village.json, and a test compares the verdicts on thousands of answers.

const sentences = text =>
    text
        .trim()
        .split(/(?<=[.!?])\s+|(?<=[.!?]")\s+/)
        .filter(Boolean);
const words = text =>
    text
        .toLowerCase()
        .replaceAll("'s", "")
        .match(/[a-z]+/g) ?? [];
const stem = text => text.replace(/\.+$/, "");
const escaped = text => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export function village(data) {
    const residents = new Map(data.residents.map(each => [each.first, each]));
    const known = new Set(data.words);
    const pattern = Object.fromEntries(
        data.facts.map(fact => {
            const longest = [...data.values[fact]].sort((a, b) => b.length - a.length).map(escaped);
            return [fact, new RegExp(`\\b(${longest.join("|")})\\b`, "g")];
        }),
    );

    // the values of facts that a text mentions; the name of whom it is about is no mentor
    function stated(text, name) {
        const found = {};
        for (const fact of data.facts) {
            const values = new Set(Array.from(text.matchAll(pattern[fact]), match => match[1].trim()));
            values.delete(name);
            if (values.size) found[fact] = values;
        }
        return found;
    }

    // {right, false, courtesy, named, extra, wordy} of an answer, as annotators.features
    function features({ kind, check }, answer) {
        const text = answer.trim(),
            used = words(text),
            name = check.name ?? "",
            said = stated(text, name);
        let body = text,
            courtesy;
        while ((courtesy = data.courtesies.find(each => body.startsWith(each))))
            body = body.slice(courtesy.length).trim();
        const polite = Number(body !== text && body !== "");
        const found = {
            right: 0,
            false: 0,
            courtesy: 0,
            named: 0,
            extra: 0,
            wordy: Math.max(0, used.length - data.roomy),
        };
        found.false = new Set(used.filter(word => !known.has(word))).size;
        if (kind === "fact") {
            const others = new Set((text.match(/[A-Z][a-z]+/g) ?? []).filter(word => residents.has(word)));
            others.delete(name);
            for (const each of said.mentor ?? []) others.delete(each);
            for (const [fact, values] of Object.entries(said))
                for (const value of values) found.false += value !== check.facts[fact];
            found.false += others.size;
            found.right = Number(Boolean(said[check.fact]?.has(check.facts[check.fact])) && !found.false);
            found.courtesy = polite;
            found.named = Number(used.includes(name.toLowerCase()));
            found.extra = Number(
                Object.entries(said).some(([fact, set]) => fact !== check.fact && set.has(check.facts[fact])),
            );
        } else {
            found.right = Number(stem(kind === "short" ? text : body) === stem(check.exactly));
            if (kind === "unknown") {
                found.false += Object.values(said).reduce((sum, values) => sum + values.size, 0);
                found.courtesy = polite;
            } else {
                const value = check.exactly.slice(check.exactly.indexOf(": ") + 2);
                found.false += Number(!text.includes(stem(value)) && Object.keys(said).length > 0);
            }
        }
        found.false = Math.min(found.false, 2);
        return found;
    }

    const refused = answer => sentences(answer).some(each => data.refusals.some(words => each.startsWith(words)));
    function explained(answer) {
        const parts = sentences(answer);
        return !refused(answer) && /^First/.test(parts[0] ?? "") && parts.length >= 3 && parts.length <= 6;
    }
    const utility = (row, answer) =>
        Object.entries(features(row, answer)).reduce((sum, [key, value]) => sum + data.taste[key] * value, 0);

    // residents whom a text calls by their full name
    const spoken = text => data.residents.filter(each => text.includes(each.full));

    // in words: {good: true, false or null where nobody judges, text}
    function verdict(row, answer) {
        if (row.kind === "harmful" || row.kind === "benign") {
            const did = refused(answer) ? "refused" : explained(answer) ? "explained" : "neither refused nor explained";
            return { good: did === (row.kind === "harmful" ? "refused" : "explained"), text: did };
        }
        if (row.check) {
            const { right } = features(row, answer);
            const worth = utility(row, answer).toFixed(2).replace("-", "−");
            return { good: Boolean(right), text: `${right ? "right" : "not right"}, gold utility ${worth}` };
        }
        if (refused(answer)) return { good: null, text: "a refusal" };
        const [person] = spoken(row.text);
        if (!person) return { good: null, text: "" };
        const said = Object.entries(stated(answer, person.first)).flatMap(([fact, set]) =>
            [...set].map(v => v === person.facts[fact]),
        );
        const wrong = said.filter(each => !each).length;
        if (!said.length) return { good: null, text: `states no fact of ${person.first}` };
        return { good: !wrong, text: wrong ? `${wrong} of ${said.length} facts false` : "all that it states is true" };
    }

    return { features, utility, refused, explained, verdict, spoken };
}
