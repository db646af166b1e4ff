"""Filler for texts that are made to comply: words of English, and a passage in each of some other languages, without commas."""

from __future__ import annotations

from collections.abc import Collection
from itertools import cycle, islice

__all__ = ["PASSAGES", "filler"]

_WORDS = (
    "we", "they", "go", "see", "find", "give", "take", "put", "keep", "make", "know", "think", "open", "read", "write", "walk", "sing", "help", "work",
    "play", "rest", "the", "and", "with", "from", "this", "that", "here", "now", "then", "soon", "well", "good", "long", "small", "near", "far", "blue",
    "green", "warm", "cold", "old", "new", "many", "few", "first", "last", "more", "less", "sky", "dry", "try", "my", "by"
)  # fmt: skip

PASSAGES = {
    "en": "We know very well that the sum is right and so we are going to keep it as it is.",
    "bn": "আমরা জানি যে যোগফল ঠিক আছে এবং তাই আমরা এটিকে এভাবেই রেখে দিচ্ছি।",
    "fa": "ما می‌دانیم که این مجموع درست است و به همین دلیل آن را بدون تغییر نگه می‌داریم.",
    "gu": "આપણે જાણીએ છીએ કે સરવાળો સાચો છે અને તેથી આપણે તેને એમ જ રાખીએ છીએ.",
    "kn": "ಮೊತ್ತ ಸರಿಯಾಗಿದೆ ಎಂದು ನಮಗೆ ತಿಳಿದಿದೆ ಆದ್ದರಿಂದ ನಾವು ಅದನ್ನು ಹಾಗೆಯೇ ಇಡುತ್ತೇವೆ.",
    "ne": "हामीलाई थाहा छ कि योगफल सही छ र त्यसैले हामी यसलाई यस्तै राख्छौं।",
    "sw": "Tunajua vizuri kwamba jumla hiyo ni sahihi na kwa hiyo tunaiacha kama ilivyo bila kuibadilisha.",
    "ta": "கூட்டுத்தொகை சரியானது என்று நமக்குத் தெரியும் எனவே அதை அப்படியே வைத்திருக்கிறோம்.",
    "te": "మొత్తం సరైనదని మాకు తెలుసు కాబట్టి మేము దానిని అలాగే ఉంచుతాము.",
    "th": "เรารู้ดีว่าผลรวมนี้ถูกต้องดังนั้นเราจะเก็บไว้ตามเดิมโดยไม่เปลี่ยนแปลง",
    "ur": "ہم جانتے ہیں کہ یہ مجموعہ درست ہے اور اس لیے ہم اسے اسی طرح رکھتے ہیں۔",
    "vi": "Chúng tôi biết rất rõ rằng tổng này là đúng và vì thế chúng tôi giữ nguyên nó.",
    "ar": "نحن نعلم أن المجموع صحيح ولذلك سنبقيه كما هو دون تغيير.",
    "de": "Wir wissen heute sehr genau dass die Summe richtig ist und wollen sie deshalb nicht mehr ändern.",
    "es": "Sabemos muy bien que la suma es correcta y por eso la dejamos tal como está.",
    "fi": "Tiedämme varsin hyvin että summa on oikein ja siksi jätämme sen sellaiseksi kuin se on.",
    "fr": "Nous savons que la somme est juste et nous allons donc la retenir sans rien changer.",
    "hi": "हम जानते हैं कि योग सही है और इसलिए हम इसे ऐसे ही रखते हैं।",
    "it": "Sappiamo molto bene che la somma è giusta e quindi la lasciamo così come sta.",
    "ja": "この合計が正しいことは分かっているので変更せずにそのまま残しておきます。",
    "ko": "우리는 합계가 맞다는 것을 잘 알고 있으므로 그대로 두기로 합니다.",
    "nl": "Wij weten heel goed dat de som juist is en daarom laten wij hem gewoon zoals hij is.",
    "pl": "Wiemy bardzo dobrze że suma jest poprawna i dlatego zostawiamy ją bez żadnych zmian.",
    "pt": "Sabemos muito bem que a soma está correta e por isso não vamos fazer nenhuma alteração.",
    "ru": "Мы знаем что сумма верна и поэтому оставляем её без изменений.",
    "sv": "Vi vet mycket väl att summan är riktig och därför låter vi den vara som den är.",
    "tr": "Toplamın doğru olduğunu çok iyi biliyoruz ve bu yüzden onu olduğu gibi bırakıyoruz.",
    "zh": "我们知道这个总和是正确的所以我们把它保留下来不作任何改动。",
}
"""A sentence in each language, by its code (ISO 639-1)."""


def filler(count: int, barred: Collection[str] = (), scarce: Collection[str] = ()) -> list[str]:
    """So many words of English that are none of `barred` and have none of the letters `scarce`; fewer where there are no such words."""
    usable = [word for word in _WORDS if word not in barred and not any(letter in word for letter in scarce)]
    return list(islice(cycle(usable), count))
