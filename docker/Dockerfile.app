# The app itself, on a CPU. From the folder of TransLearn:
#
#   docker build -f docker/Dockerfile.app -t translearn .
#   docker run --rm -p 127.0.0.1:8501:8501 -v translearn:/data translearn
#
# Data sets and runs are kept in the volume, downloaded weights too.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 TRANSLEARN_HOME=/data/TransLearn KERAS_HOME=/data/keras HOME=/data
WORKDIR /translearn
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY .streamlit .streamlit
COPY app.py ./
COPY pages pages
COPY translearn_core translearn_core
COPY translearn_ui translearn_ui

RUN mkdir /data && chown 65534:65534 /data
USER 65534:65534
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --start-period=60s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health')"]
ENTRYPOINT ["python", "-m", "streamlit", "run", "app.py", "--server.address", "0.0.0.0"]
CMD ["--server.headless", "true"]
